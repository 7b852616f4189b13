// The only place that knows how a function is marked for both host and device.
#pragma once

#if defined(__CUDACC__)
#define PSL_HD __host__ __device__
#else
#define PSL_HD
#endif

// Of a loop whose arrays a GPU is to keep in registers: no place in them may be known at run time only.
#if defined(__CUDA_ARCH__)
#define PSL_UNROLL _Pragma("unroll")
#else
#define PSL_UNROLL
#endif

// Of a long loop whose turns read memory: a GPU asks for several turns' values at once.
#if defined(__CUDA_ARCH__)
#define PSL_UNROLL_READS _Pragma("unroll 8")
#else
#define PSL_UNROLL_READS
#endif
