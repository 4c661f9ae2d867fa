// A family's file is compiled once for the records of its primitives, with all that does not depend on the processor, and
// once for each instruction set, for their kernels: what belongs to the other is then left out.
//
//     GRADTAPE_KERNELS(sqrt, unary_loops<sqrt_kernel>())
//     GRADTAPE_PRIMITIVE(sqrt, unary().vjp(…).on(positive))
#pragma once

#include "../kernels/loops.hpp"
#include "batching.hpp"
#include "record.hpp"

#ifdef GRADTAPE_RECORDS
#define GRADTAPE_KERNELS(name, ...)
#define GRADTAPE_PRIMITIVE(name, ...)    \
    extern const Primitive name##_p;     \
    constinit const Primitive name##_p = Define(Op::name, #name).__VA_ARGS__;
#else
#define GRADTAPE_PRIMITIVE(name, ...)
#define GRADTAPE_KERNELS(name, ...)      \
    extern const Kernels name##_k;       \
    constinit const Kernels name##_k = __VA_ARGS__;
#endif
