// Everything but xtensor: tensors, tape, operations, derivatives.
#pragma once

#include <gradtape/ops.hpp>
#include <gradtape/program.hpp>
#include <gradtape/tape.hpp>
#include <gradtape/tensor.hpp>
#include <gradtape/transforms.hpp>
