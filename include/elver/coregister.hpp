#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "elver/overlay.hpp"

namespace elver {

/// Where an image was taken, as far as its file says. Rows run down.
struct ScanPlace {
  /// In pixels of a picture, from its upper left corner.
  struct Outline {
    double top = 0, left = 0, bottom = 0, right = 0;
  };
  std::optional<Outline> in_survey;  ///< of a spectrum image, within its survey image
  std::string survey;  ///< which survey image, by its unique number: of a survey image its own; "" where unknown
  std::optional<double> stage_x_um, stage_y_um;
  std::optional<double> scan_rotation_deg;
};
/// What a Gatan DM3 or DM4 file says of the place of its image; of files of other formats nothing is known.
/// Throws Error{input} for a file that cannot be read.
ScanPlace scan_place(const std::filesystem::path& path);

/// How a second picture lies over a first, by what is in them.
struct PictureMatch {
  /// Pixel (y, x) of the second is pixel (scale y + dy, scale x + dx) of the first, counted from the middle of the
  /// first pixel.
  double scale = 1, dy = 0, dx = 0;
  double sizes_say = 1;    ///< the scale that the pixel sizes alone give
  double peak = 0;         ///< of the phase correlation of what both have in common: 1 where all phases agree
  double chance = 0;       ///< what unrelated pictures reach
  double correlation = 0;  ///< of both over what they have in common, after the match, smoothed by two pixels
};

/// Matches two pictures of one region by phase correlation (C. D. Kuglin and D. C. Hines, IEEE Conf. Cybern. Soc.
/// (1975) 163), of the frequencies that stand above the noise; shifts of up to half a picture, scales within a tenth of
/// what the pixel sizes say. Then refined to a fraction of a pixel by least squares over what they have in common (B.
/// D. Lucas and T. Kanade, IJCAI (1981) 674). Rotation is not looked for. Throws Error{mismatch}, with the numbers,
/// where the peak does not stand out, or a picture has fewer than 16 rows or columns.
PictureMatch match_pictures(const PlacedMap& first, const PlacedMap& second, const RunContext& context);

/// One acquisition: the map that was made of it, and what is known of where it lies.
struct Acquisition {
  PlacedMap map;
  ScanPlace place;
  std::optional<PlacedMap> picture = {};           ///< ADF: its survey image, or one on the map's own pixels
  ScanPlace picture_place = {};                    ///< of the picture's file
  std::optional<ScanPlace::Outline> corners = {};  ///< of the field, as the user gave them
};

enum class RegisteredBy : std::uint8_t { corners, survey, pictures, stage };
/// "corners", "survey", "pictures", "stage".
std::string_view name_of(RegisteredBy by);

struct Registration {
  RegisteredBy by = RegisteredBy::survey;
  Affine to_first;  ///< places of the second map, in its units, to places of the first
  std::optional<PictureMatch> match;
  /// Of both fields, in pixels of the first's picture (corners: in the coordinates they were given in; stage: um).
  ScanPlace::Outline first, second;
  /// Of both fields, in pixels of the first's picture, where there is one in which the first can be placed.
  struct OnPicture {
    ScanPlace::Outline first, second;
  };
  std::optional<OnPicture> on_picture = {};
  std::vector<std::string> notes;
};

/// Lays the second acquisition's map over the first's, by the first of these that there is enough for: corners of both;
/// one survey image that both lie in; pictures of both; the stage's position and the scan's rotation.
///
/// A stage is read, and returns, to some 100 nm: fields smaller than five times that are refused.
/// Throws Error{mismatch}, with the numbers, where it cannot be told; Error{usage} where nothing to go by was given.
Registration coregister(const Acquisition& first, const Acquisition& second, const RunContext& context);

}  // namespace elver
