// All of gradtape::nn, but the hand-derived witness (explicit_backprop.hpp).
#pragma once

#include <gradtape/nn/data.hpp>
#include <gradtape/nn/init.hpp>
#include <gradtape/nn/layers.hpp>
#include <gradtape/nn/losses.hpp>
#include <gradtape/nn/optimizers.hpp>
#include <gradtape/nn/parameter.hpp>
#include <gradtape/nn/replay.hpp>
#include <gradtape/nn/training.hpp>
