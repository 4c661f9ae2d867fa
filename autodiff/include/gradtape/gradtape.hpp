// Tensors, tape, operations, linear algebra, random numbers, derivatives, loops; programs, compiled and as files. Headers of their
// own: check.hpp (a derivative against differences), nonfinite.hpp (where a NaN comes from), primitive.hpp (primitives of your
// own), portable.hpp, xtensor.hpp, nn/nn.hpp.
#pragma once

#include <gradtape/compile.hpp>
#include <gradtape/control.hpp>
#include <gradtape/loops.hpp>
#include <gradtape/linalg.hpp>
#include <gradtape/ops.hpp>
#include <gradtape/ops_indexing.hpp>
#include <gradtape/program.hpp>
#include <gradtape/random.hpp>
#include <gradtape/serialise.hpp>
#include <gradtape/tape.hpp>
#include <gradtape/tensor.hpp>
#include <gradtape/transforms.hpp>
#include <gradtape/vmap.hpp>
