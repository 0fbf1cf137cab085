/// Before the toolkit's own in the include path of a g++ build: <cuda_runtime.h> is then the host launcher.
#pragma once
#include "cuda_on_host/kernel_words.hpp"
#include "cuda_on_host/counting.hpp"
#include "cuda_on_host/runtime_api.hpp"
