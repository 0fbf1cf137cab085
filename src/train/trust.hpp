#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "elver/dataset.hpp"
#include "elver/model.hpp"
#include "train/evaluate.hpp"
#include "train/linear_fit.hpp"

namespace elver::train {

/// The variance that makes `squares`, [row], likeliest as squares of normal numbers, given the rows' `snr`, [row][edge].
/// Errors grow with the noise and end where nothing can be read: so there are terms an edge and terms a level.
/// No term is negative. Multiplicative updates of the likelihood, which never falls.
NoiseVariance fit_variance(std::span<const double> squares, std::span<const float> snr, std::size_t edges);

/// How far a task can be trusted, from margins [row][output] on rows that no booster of theirs was trained with.
/// Values: split-conformal intervals, errors scaled by their noise (Lei et al., J. Am. Stat. Assoc. 113 (2018) 1094);
/// classes: the least probability that the true class has in `coverage` of the rows (Sadinle et al., J. Am. Stat. Assoc.
/// 114 (2019) 223); yes or no: Platt's logistic of the margin, both answers weighed alike.
Trust fit_trust(const TaskSpec& task, const Booster& booster, std::span<const float> margins, const Rows& rows,
                std::size_t task_index, double coverage);

/// Which share of rows has the truth in its interval or set; a structure is one trial. NaN for tasks that have neither.
Figure coverage_of(const TaskSpec& task, const Trust& trust, const Booster& booster, std::span<const float> margins,
                   const Rows& rows, std::size_t task_index);

/// The domain of some rows: projections from a fit to training rows, variances and limit from unseen ones.
Domain fit_domain(const LinearFit& fit, const std::vector<const Rows*>& unseen, std::uint64_t seed);
/// The share of rows inside a domain.
double share_inside(const Domain& domain, const Rows& rows);

}  // namespace elver::train
