// How accurate each elementwise primitive is, as its record says: the table that docs/numerics.md shows.
#include <gradtape/primitive.hpp>

#include <cstdio>

int main() {
    std::printf("%-22s %-8s %s\n", "", "value", "slope");
    for (const gradtape::Primitive* p : gradtape::primitive_table()) {
        const gradtape::Accuracy& its = p->accuracy;
        if (its.value == 0.5 && its.slope == 0) continue;
        std::printf("%-22s %-8.3g %.3g\n", p->name, its.value, its.slope);
    }
}
