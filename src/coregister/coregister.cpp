#include "elver/coregister.hpp"

#include <cmath>
#include <numbers>

#include "elver/error.hpp"
#include "overlay/grid.hpp"
#include "types/length.hpp"
#include "types/text.hpp"

namespace elver {
namespace {

using Outline = ScanPlace::Outline;

constexpr double kStageUm = 0.1;         ///< how well a stage is read and returns
constexpr double kFieldsPerStage = 5.0;  ///< a field must be so many times larger for its stage to place it
constexpr double kRotationDeg = 1.0;     ///< scans that differ by more are not one picture shifted

/// From places of a map, in its own units, to where its outline lies.
Affine into(const PlacedMap& map, const Outline& outline) {
  const auto line = [](const Axis& axis, double low, double high) {
    const double first = axis.offset - 0.5 * axis.scale;
    const double scale = (high - low) / (axis.scale * static_cast<double>(axis.size));
    return std::pair{scale, low - scale * first};
  };
  const auto [xx, dx] = line(map.columns, outline.left, outline.right);
  const auto [yy, dy] = line(map.rows, outline.top, outline.bottom);
  return {xx, 0, dx, 0, yy, dy};
}

Outline whole(const PlacedMap& picture) {
  return {0, 0, static_cast<double>(picture.rows.size), static_cast<double>(picture.columns.size)};
}

Outline moved_outline(const Outline& from, const Affine& by) {
  const auto [left, top] = moved(by, from.left, from.top);
  const auto [right, bottom] = moved(by, from.right, from.bottom);
  return {top, left, bottom, right};
}

std::string said(const Outline& o) {
  return text("rows %.4g to %.4g, columns %.4g to %.4g", o.top, o.bottom, o.left, o.right);
}

/// Where the field of an acquisition lies in its picture, in the picture's pixels from its corner.
/// Throws Error{mismatch} where that cannot be told.
Outline within_picture(const Acquisition& a) {
  const PlacedMap& picture = *a.picture;
  if (picture.rows.size == a.map.rows.size && picture.columns.size == a.map.columns.size) return whole(picture);
  const std::string what = "cannot place " + a.map.source + " in " + picture.source;
  if (!a.place.in_survey) {
    throw Error(
        ErrorKind::mismatch, what,
        text("the picture is not on the map's %llu x %llu pixels, and the map's file does not say where in its "
             "survey image it lies",
             static_cast<unsigned long long>(a.map.rows.size), static_cast<unsigned long long>(a.map.columns.size)),
        "Give the corners of both fields");
  }
  if (!a.place.survey.empty() && !a.picture_place.survey.empty() && a.place.survey != a.picture_place.survey) {
    throw Error(ErrorKind::mismatch, what,
                "the file says that it lies in survey image " + a.place.survey + ", this is " + a.picture_place.survey,
                "Give the survey image that was taken with it, or the corners of both fields");
  }
  const Outline o = *a.place.in_survey;
  if (o.top < 0 || o.left < 0 || o.bottom > static_cast<double>(picture.rows.size) ||
      o.right > static_cast<double>(picture.columns.size)) {
    throw Error(ErrorKind::mismatch, what, "its outline, " + said(o) + ", leaves the picture",
                "Give the survey image that was taken with it");
  }
  return o;
}

void check_rotation(const Acquisition& first, const Acquisition& second) {
  const auto rotation = [](const Acquisition& a) {
    return a.picture_place.scan_rotation_deg ? a.picture_place.scan_rotation_deg : a.place.scan_rotation_deg;
  };
  const auto one = rotation(first), other = rotation(second);
  if (!one || !other) return;
  const double apart = std::remainder(*one - *other, 360.0);
  if (std::abs(apart) <= kRotationDeg) return;
  throw Error(ErrorKind::mismatch, "cannot lay " + second.map.source + " over " + first.map.source,
              text("the scans are turned by %.1f degrees against each other", apart),
              "Turn one of the pictures, or give --same-field");
}

/// Outlines of both in one frame.
Registration framed(RegisteredBy by, const Acquisition& first, const Outline& one, const Acquisition& second,
                    const Outline& other) {
  Registration out;
  out.by = by;
  out.first = one;
  out.second = other;
  out.to_first = composed(inverse_of(into(first.map, one)), into(second.map, other));
  const double high = std::min(one.bottom, other.bottom) - std::max(one.top, other.top);
  const double wide = std::min(one.right, other.right) - std::max(one.left, other.left);
  const double area = (one.bottom - one.top) * (one.right - one.left);
  const double common = high > 0 && wide > 0 ? high * wide / area : 0.0;
  if (common < 0.5) {
    out.notes.push_back(text("the fields have %.0f %% of the first in common: %s and %s", 100 * common,
                             said(one).c_str(), said(other).c_str()));
  }
  return out;
}

Registration by_pictures(const Acquisition& first, const Acquisition& second, const RunContext& context) {
  check_rotation(first, second);
  const Outline one = within_picture(first), own = within_picture(second);
  const PictureMatch match = match_pictures(*first.picture, *second.picture, context);
  // Outlines count from the corner of the first pixel, matches from its middle.
  const double corner = 0.5 - 0.5 * match.scale;
  const Affine move{match.scale, 0, match.dx + corner, 0, match.scale, match.dy + corner};
  Registration out = framed(RegisteredBy::pictures, first, one, second, moved_outline(own, move));
  out.match = match;
  return out;
}

/// Both fields as they lie on the first's picture, however they were placed.
std::optional<Registration::OnPicture> on_picture(const Acquisition& first, const Acquisition& second,
                                                  const Affine& to_first) {
  if (!first.picture) return std::nullopt;
  try {
    const Outline one = within_picture(first);
    const Affine to_picture = composed(into(first.map, one), composed(to_first, own_places(second.map)));
    return Registration::OnPicture{one, moved_outline(whole(second.map), to_picture)};
  } catch (const Error&) {
    return std::nullopt;  // the picture is not needed to place them, and does not say where the first lies in it
  }
}

/// Centre of a field in the stage's um, its rows and columns along the scan, which is turned against the stage.
Registration by_stage(const Acquisition& first, const Acquisition& second) {
  check_rotation(first, second);
  const std::string what = "cannot lay " + second.map.source + " over " + first.map.source + " by the stage";
  const double unit = metres_in(first.map.columns.units) * 1e6, own_unit = metres_in(second.map.columns.units) * 1e6;
  if (!(unit > 0 && own_unit > 0)) {
    throw Error(ErrorKind::mismatch, what, "their pixels have no size in metres", "Give the corners of both fields");
  }
  const auto size = [](const Axis& axis, double um) {
    return std::abs(axis.scale) * static_cast<double>(axis.size) * um;
  };
  const double smallest = std::min({size(first.map.rows, unit), size(first.map.columns, unit),
                                    size(second.map.rows, own_unit), size(second.map.columns, own_unit)});
  const double x = *second.place.stage_x_um - *first.place.stage_x_um;
  const double y = *second.place.stage_y_um - *first.place.stage_y_um;
  if (smallest < kFieldsPerStage * kStageUm) {
    throw Error(
        ErrorKind::mismatch, what,
        text("the stage moved by %.0f nm and %.0f nm, which it tells to some %.0f nm, and the smaller side of the "
             "fields is %.3g nm",
             1e3 * x, 1e3 * y, 1e3 * kStageUm, 1e3 * smallest),
        "Give pictures of both (--adf-a, --adf-b), the corners of both fields, or --same-field");
  }
  const double turn = first.place.scan_rotation_deg.value_or(0.0) * std::numbers::pi / 180.0;
  const double across = std::cos(turn) * x + std::sin(turn) * y, down = -std::sin(turn) * x + std::cos(turn) * y;
  const auto outline = [&](const PlacedMap& map, double um, double mid_y, double mid_x) {
    const double h = 0.5 * size(map.rows, um), w = 0.5 * size(map.columns, um);
    return Outline{mid_y - h, mid_x - w, mid_y + h, mid_x + w};
  };
  Registration out = framed(RegisteredBy::stage, first, outline(first.map, unit, 0, 0), second,
                            outline(second.map, own_unit, down, across));
  out.notes.push_back(text("placed by the stage alone, which is right to some %.0f nm", 1e3 * kStageUm));
  return out;
}

}  // namespace

std::string_view name_of(RegisteredBy by) {
  switch (by) {
    case RegisteredBy::corners:
      return "corners";
    case RegisteredBy::survey:
      return "survey";
    case RegisteredBy::pictures:
      return "pictures";
    case RegisteredBy::stage:
      break;
  }
  return "stage";
}

namespace {

Registration by_what_there_is(const Acquisition& first, const Acquisition& second, const RunContext& context) {
  if (first.corners && second.corners)
    return framed(RegisteredBy::corners, first, *first.corners, second, *second.corners);
  const bool one_survey = !first.place.survey.empty() && first.place.survey == second.place.survey;
  if (one_survey && first.place.in_survey && second.place.in_survey)
    return framed(RegisteredBy::survey, first, *first.place.in_survey, second, *second.place.in_survey);
  if (first.picture && second.picture) return by_pictures(first, second, context);
  const auto has_stage = [](const Acquisition& a) { return a.place.stage_x_um && a.place.stage_y_um; };
  if (has_stage(first) && has_stage(second)) return by_stage(first, second);
  throw Error(ErrorKind::usage, "nothing to lay " + second.map.source + " over " + first.map.source + " by",
              "neither corners nor pictures of both were given, and their files do not say where the stage was",
              "Give --corners-a and --corners-b, --adf-a and --adf-b, or --same-field");
}

}  // namespace

Registration coregister(const Acquisition& first, const Acquisition& second, const RunContext& context) {
  Registration out = by_what_there_is(first, second, context);
  out.on_picture = on_picture(first, second, out.to_first);
  return out;
}

}  // namespace elver
