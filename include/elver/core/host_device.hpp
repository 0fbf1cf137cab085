#pragma once
/// ELVER_HD marks a function of one pixel that runs on the host and, under nvcc, on the device. It is the only
/// place where core/ knows that two back ends exist.
#if defined(__CUDACC__)
#define ELVER_HD __host__ __device__
#else
#define ELVER_HD
#endif
