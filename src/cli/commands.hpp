#pragma once
#include <CLI/CLI.hpp>

/// One function a command: it declares the options and sets the callback. One file a command.
namespace elver::cli {

void add_info(CLI::App& program);
void add_convert(CLI::App& program);
void add_calibrate(CLI::App& program);
void add_background(CLI::App& program);
void add_detect(CLI::App& program);
void add_features(CLI::App& program);
void add_predict(CLI::App& program);
void add_model(CLI::App& program);
void add_train(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_library(CLI::App& program);
void add_compare(CLI::App& program);
void add_explain(CLI::App& program);
void add_library_calibrate(CLI::App& library);
void add_phantom(CLI::App& program);
void add_map(CLI::App& program);
void add_overlay(CLI::App& program);
void add_check(CLI::App& program);
void add_devices(CLI::App& program);
void add_bench(CLI::App& program);
void add_formats(CLI::App& program);

}  // namespace elver::cli
