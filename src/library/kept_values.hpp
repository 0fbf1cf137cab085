#pragma once
#include <initializer_list>
#include <set>
#include <span>
#include <string>

#include "elver/import.hpp"
#include "io/hdf5.hpp"

namespace elver {

/// What a file holds beside what elver reads: whole numbers, numbers and text are kept; anything else (references,
/// compounds, enumerations) is not.

/// The data sets of a group whose names are not `known`.
KeptValues read_kept(hid_t group, const std::set<std::string>& known);
void write_kept(hid_t root, const std::string& where, const KeptValues& values);

/// The columns of an edge beside `known`, row by row into its spectra: one of `points` floats a row into `curves`,
/// others into `kept`.
void read_kept_columns(hid_t group, const std::set<std::string>& known, std::size_t points,
                       std::span<SpectrumTable> spectra);
/// NaN (0 in a curve's place would be a value), or "", where a spectrum has none, or one of another shape than the
/// first. Whole numbers stay whole where every spectrum has one.
void write_kept_columns(hid_t root, const std::string& where, std::size_t points,
                        std::span<const SpectrumTable> spectra);

/// Attributes of one value, or of a list of texts, whose names are not `known`.
KeptValues read_kept_attributes(hid_t object, const std::set<std::string>& known);
/// Those that the object does not have yet.
void write_kept_attributes(hid_t object, const KeptValues& values);

}  // namespace elver
