#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace elver {

/// Symbol of an atomic number, 1 to 96; "" beyond.
std::string_view element_symbol(int atomic_number);
/// 0 if it is no symbol. "Ni4", "NI", "ni+2" are Ni: what follows the symbol's letters is left out.
int atomic_number(std::string_view symbol);
/// The symbol in its usual spelling, "" if it is none.
std::string tidy_symbol(std::string_view symbol);
/// Of the d block, groups 3 to 12: what a formula unit of a cathode is counted by.
bool is_d_block(std::string_view element);

/// Energy of an edge, eV: of the free or elemental atom (Bearden and Burr 1967, Cardona and Ley 1978, as tabulated in
/// the X-ray Data Booklet); O K that of oxides. Nothing for edges that the table leaves out.
std::optional<double> nominal_edge_ev(std::string_view edge);
/// Where the Fermi level lies on the measured axis in layered oxides of Li and Ni, Mn, Co: of O K and their L3, the median over
/// Li contents 0 to 1 of a library whose white lines and O K rise are where experiment has them. Nothing for other edges.
std::optional<double> layered_oxide_edge_ev(std::string_view edge);

/// "Ni_L3" from an element and an edge in anyone's spelling: "K", "1s", "L3", "2p", "L2,3", "L23"; FEFF's 1 to 4 are K, L1, L2, L3.
/// "" if it is none.
std::string edge_name(std::string_view element, std::string_view edge);
/// An element and edge named in a path: "ti-k", "Ni_L3", "O K". "" if none or several different.
std::string edge_in_path(const std::string& path);

}  // namespace elver
