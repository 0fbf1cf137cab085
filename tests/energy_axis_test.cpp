#include "elver/energy_axis.hpp"

#include "elver/error.hpp"
#include "support.hpp"

namespace elver {
namespace {

// The window rule of the issue: [round((a-offset)/scale), round((b-offset)/scale)).
TEST(EnergyAxis, WindowIsRoundedAtBothEndsAndHalfOpen) {
  const EnergyAxis axis{440.0, 0.3, 2048};
  EXPECT_EQ(axis.channels({490.0, 520.0}), (ChannelRange{167, 267}));
  EXPECT_EQ((EnergyAxis{0.0, 0.25, 4096}.channels({740.1, 771.9})), (ChannelRange{2960, 3088}));
}

TEST(EnergyAxis, WindowOffTheAxisIsRefusedWithTheNumbers) {
  const EnergyAxis axis{440.0, 0.5, 100};
  try {
    axis.channels({480.0, 520.0});
    FAIL() << "accepted a window beyond the axis";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::mismatch);
    EXPECT_NE(std::string(error.what()).find("490"), std::string::npos) << error.what();
  }
  EXPECT_THROW(axis.channels({450.0, 450.1}), Error);
  EXPECT_THROW(axis.channels({460.0, 450.0}), Error);
}

}  // namespace
}  // namespace elver
