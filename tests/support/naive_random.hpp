// Philox one word at a time, and quantiles by inverting the C library's functions: references for the primitives of random.cpp.
#pragma once

#include "naive.hpp"

namespace gradtape::test::naive {

std::vector<long double> random_bits(const Array& key, const Attributes& attributes, const Type& result);

/// Of 64 random bits as an int64 number.
long double normal_quantile(long double bits);
long double exponential_quantile(long double bits);
long double gumbel_quantile(long double bits);

}  // namespace gradtape::test::naive
