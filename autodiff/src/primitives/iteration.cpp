// Primitives that run a body again and again.
#include "bodies.hpp"
#include "family.hpp"

#include <utility>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// A scan's attributes. Operands: `shared`, which each step reads; `carry`, which one step hands on to the next; `rows`, of
/// which each step reads one. The body's results: the next carry, and `given`, whose rows the scan's results collect.
struct Scan {
    const Subprogram& body;
    std::size_t shared = 0, carry = 0, rows = 0, given = 0;
    std::int64_t length;
    bool reverse;
    bool keeps = false;  ///< the carries that steps begin with are results too

    explicit Scan(const Attributes& attributes)
        : body(body_of(attributes)), length(attributes.get<std::int64_t>("length")), reverse(attributes.get<bool>("reverse")) {
        const Integers& groups = attributes.get<Integers>("groups");
        const std::size_t inputs = body.inputs().size(), outputs = body.outputs().size();
        fits = groups.size() == 3 && groups[2] >= 0 && groups[2] <= 1 && groups[0] >= 0 && groups[1] >= 0 && std::size_t(groups[0]) <= inputs &&
               std::size_t(groups[1]) <= std::min(inputs - std::size_t(groups[0]), outputs) && length >= 0;
        if (!fits) return;
        shared = std::size_t(groups[0]);
        carry = std::size_t(groups[1]);
        rows = inputs - shared - carry;
        given = outputs - carry;
        keeps = groups[2] == 1;
    }
    bool fits;

    /// How many carries are kept, of which the first is this result.
    std::size_t kept() const { return keeps ? carry : 0; }
    std::size_t first_kept() const { return carry + given; }

    Types shared_types() const { return body.inputs().first(shared); }
    Types carry_types() const { return body.inputs().subspan(shared, carry); }
    Types row_types() const { return body.inputs().subspan(shared + carry); }
    Types given_types() const { return body.outputs().subspan(carry); }
    /// Of a list of all operands, or of the body's.
    template <class T>
    std::span<T> shared_of(std::span<T> all) const { return all.first(shared); }
    template <class T>
    std::span<T> carry_of(std::span<T> all) const { return all.subspan(shared, carry); }
    template <class T>
    std::span<T> rows_of(std::span<T> all) const { return all.subspan(shared + carry); }
};

Attributes scan_attributes(const Subprogram& body, std::size_t shared, std::size_t carry, const Scan& like, bool reverse, bool keeps) {
    return {{"body", body}, {"groups", Integers{std::int64_t(shared), std::int64_t(carry), keeps}}, {"length", like.length}, {"reverse", reverse}};
}

/// The last carry, the rows given, and where it keeps them, the carries that each step began with, which the reverse pass reads.
int results_of_scan(const Attributes& attributes) {
    const Scan scan(attributes);
    return int(scan.first_kept() + scan.kept());
}

Type stacked(std::int64_t length, const Type& row) { return {row.dtype, behind(length, row.shape)}; }

void check_scan(const ShapeCall& call, const Scan& scan) {
    if (!scan.fits) refuse_value(call, "its groups of operands are not those of its body");
    if (call.operands.size() != scan.body.inputs().size())
        refuse_value(call, "got " + std::to_string(call.operands.size()) + " operands; its body takes " + std::to_string(scan.body.inputs().size()));
    for (std::size_t k = 0; k < scan.carry; ++k)
        check_type(call, "carry " + std::to_string(k) + " after a step", scan.body.outputs()[k], scan.carry_types()[k]);
    for (std::size_t k = 0; k < call.operands.size(); ++k) {
        const bool row = k >= scan.shared + scan.carry;
        const Type& type = scan.body.inputs()[k];
        check_type(call, "operand " + std::to_string(k), *call.operands[k], row ? stacked(scan.length, type) : type);
    }
}

Type type_of_scan(const ShapeCall& call) {
    const Scan scan(call.attributes);
    if (call.result == 0) check_scan(call, scan);
    if (call.result < scan.carry) return scan.carry_types()[call.result];
    if (call.result < scan.carry + scan.given) return stacked(scan.length, scan.given_types()[call.result - scan.carry]);
    return stacked(scan.length, scan.carry_types()[call.result - scan.carry - scan.given]);
}

std::size_t bytes_of(const Type& type) { return std::size_t(type.shape.elements()) * size_of(type.dtype); }

std::size_t room_of_scan(const Attributes& attributes) {
    const Scan scan(attributes);
    return size_of_lists(scan.body) + 2 * padded_sum(scan.carry_types()) + padded_sum(scan.row_types()) + padded_sum(scan.given_types()) +
           3 * Room::size_of_list(scan.body.inputs().size()) + Room::size_of_list(scan.given);
}

/// Rows of whole blocks are read and written where they lie; others by way of a buffer.
bool lies_well(const Type& row) { return bytes_of(row) % 64 == 0; }

class ScanRun {
public:
    explicit ScanRun(const KernelCall& call) : call_(call), scan_(call.attributes), room_(call.scratch) {
        const Subprogram& body = scan_.body;
        x_ = room_.take_list<const void*>(body.inputs().size());
        z_ = room_.take_list<void*>(body.outputs().size());
        for (std::size_t turn = 0; turn < 2; ++turn) carries_[turn] = buffers(scan_.carry_types());
        row_buffers_ = buffers(scan_.row_types());
        given_buffers_ = buffers(scan_.given_types());
        for (std::size_t k = 0; k < scan_.shared + scan_.carry; ++k) x_[k] = call.inputs[k].data;
    }

    void run() {
        for (std::int64_t n = 0; n < scan_.length; ++n) step(scan_.reverse ? scan_.length - 1 - n : n, n);
        if (scan_.length > 0) return;
        for (std::size_t k = 0; k < scan_.carry; ++k)
            if (void* const last = result_at(call_, k)) std::memcpy(last, x_[scan_.shared + k], bytes_of(scan_.carry_types()[k]));
    }

private:
    void** buffers(Types types) {
        void** const list = room_.take_list<void*>(types.size());
        for (std::size_t k = 0; k < types.size(); ++k) list[k] = room_.take(padded_bytes(types[k]));
        return list;
    }

    /// Row t, the n-th to come.
    void step(std::int64_t t, std::int64_t n) {
        const auto row = std::size_t(t);
        for (std::size_t k = 0; k < scan_.carry; ++k) {
            const std::size_t bytes = bytes_of(scan_.carry_types()[k]);
            if (void* const kept = scan_.keeps ? result_at(call_, scan_.first_kept() + k) : nullptr)
                std::memcpy(static_cast<char*>(kept) + row * bytes, x_[scan_.shared + k], bytes);
            void* const last = n + 1 == scan_.length ? result_at(call_, k) : nullptr;
            z_[k] = last ? last : carries_[n % 2][k];
        }
        read_rows(row);
        for (std::size_t k = 0; k < scan_.given; ++k) {
            char* const all = static_cast<char*>(result_at(call_, scan_.carry + k));
            const Type& type = scan_.given_types()[k];
            z_[scan_.carry + k] = all && lies_well(type) ? all + row * bytes_of(type) : given_buffers_[k];
        }
        (*call_.bodies[0])(x_, z_);
        for (std::size_t k = 0; k < scan_.given; ++k) {
            char* const all = static_cast<char*>(result_at(call_, scan_.carry + k));
            const Type& type = scan_.given_types()[k];
            if (all && !lies_well(type)) std::memcpy(all + row * bytes_of(type), given_buffers_[k], bytes_of(type));
        }
        for (std::size_t k = 0; k < scan_.carry; ++k) x_[scan_.shared + k] = z_[k];
    }

    void read_rows(std::size_t row) {
        const std::size_t first = scan_.shared + scan_.carry;
        for (std::size_t k = 0; k < scan_.rows; ++k) {
            const Type& type = scan_.row_types()[k];
            const char* const its = static_cast<const char*>(call_.inputs[first + k].data) + row * bytes_of(type);
            x_[first + k] = lies_well(type) ? its : std::memcpy(row_buffers_[k], its, bytes_of(type));
        }
    }

    const KernelCall& call_;
    const Scan scan_;
    Room room_;
    const void** x_;
    void** z_;
    void** carries_[2];
    void** row_buffers_;
    void** given_buffers_;
};

void scan_kernel(const KernelCall& call) { ScanRun(call).run(); }

/// What the reverse pass takes of a scan: the parts of its operands and cotangents that are there.
struct Backward {
    const Scan scan;
    std::span<const Node> last_bars, given_bars, kept_bars;  // by group of results
    Picked carry, shared, rows;                              // floating carries; operands that want a cotangent

    explicit Backward(const VjpCall& call) : scan(call.x.attributes) {
        const std::span<const Node> z_bars = call.z_bars;
        last_bars = z_bars.first(scan.carry);
        given_bars = z_bars.subspan(scan.carry, scan.given);
        kept_bars = z_bars.subspan(scan.first_kept());
        for (std::size_t k = 0; k < call.x.count(); ++k) {
            const Node x = call.x[k];
            const bool is_carry = k >= scan.shared && k < scan.shared + scan.carry;
            if (!is_floating(x.dtype()) || !(is_carry || call.wants(k))) continue;
            (is_carry ? carry : k < scan.shared ? shared : rows).add(k, x);
        }
    }
};

/// The carry at the beginning of each step: of a scan that keeps none, by one that does.
Nodes kept_carries(const VjpCall& call, const Scan& scan) {
    const Nodes results(call.results.begin(), call.results.end());
    const Nodes all = scan.keeps ? results : apply_all(primitive(Op::scan), call.x.nodes, scan_attributes(scan.body, scan.shared, scan.carry, scan, scan.reverse, true));
    return Nodes(all.begin() + std::ptrdiff_t(scan.first_kept()), all.end());
}

/// The body of the reverse pass: from the cotangents of a step's results to those of what it took. Carries: those of the carry,
/// then the sums of those of what is shared.
Nodes pull_step(Building& building, const VjpCall& call, const Backward& its) {
    const Scan& scan = its.scan;
    const Nodes first = building.take(scan.shared_of(call.x.nodes));
    const Nodes carry_bar = building.take(or_zeros(at(its.last_bars, [&] {
        std::vector<std::size_t> places;
        for (std::size_t place : its.carry.places) places.push_back(place - scan.shared);
        return places;
    }()), its.carry.nodes));
    const Nodes sums = building.take(or_zeros(Nodes(its.shared.size()), its.shared.nodes));
    const Nodes carry = building.take_rows(kept_carries(call, scan));
    const Nodes rows = building.take_rows(scan.rows_of(call.x.nodes));
    const Picked given = present(its.given_bars), kept = present(its.kept_bars);
    const Nodes given_bar = building.take_rows(given.nodes), kept_bar = building.take_rows(kept.nodes);

    const Nodes x = joined({first, carry, rows}), z = expand(scan.body, x);
    Nodes ys, bars = joined({carry_bar, given_bar});
    for (std::size_t place : its.carry.places) ys.push_back(z[place - scan.shared]);
    for (std::size_t place : given.places) ys.push_back(z[scan.carry + place]);
    const Nodes wrt = joined({at(x, its.carry.places), at(x, its.shared.places), at(x, its.rows.places)});
    Nodes x_bar = vjp(ys, wrt, bars);
    for (std::size_t k = 0; k < kept.size(); ++k)
        for (std::size_t c = 0; c < its.carry.size(); ++c)
            if (its.carry.places[c] - scan.shared == kept.places[k]) x_bar[c] = x_bar[c] + kept_bar[k];
    for (std::size_t k = 0; k < sums.size(); ++k) x_bar[its.carry.size() + k] = sums[k] + x_bar[its.carry.size() + k];
    return x_bar;
}

void vjp_of_scan(const VjpCall& call) {
    const Backward its(call);
    if (its.carry.size() + its.shared.size() + its.rows.size() == 0) return;
    Building building;
    const Nodes x_bar = pull_step(building, call, its);
    const std::size_t carried = its.carry.size() + its.shared.size();
    // What it carries is as large as what is shared: it is not kept for a reverse pass through the reverse pass.
    const Attributes attributes = scan_attributes(building.body(x_bar), its.scan.shared, carried, its.scan, !its.scan.reverse, false);
    const Nodes given = apply_all(primitive(Op::scan), building.operands(), attributes);
    const std::span<const Node> all = given;
    its.carry.give(call, all);
    its.shared.give(call, all.subspan(its.carry.size()));
    its.rows.give(call, all.subspan(carried));
}

/// The carry's tangents are carried beside it.
void jvp_of_scan(const JvpCall& call) {
    const Scan scan(call.x.attributes);
    Building building;
    const std::span<const Node> operands = call.x.nodes, dots = call.x_dot;
    const Picked shared_dots = present(scan.shared_of(dots)), row_dots = present(scan.rows_of(dots));
    const Picked carried = floating_of(scan.carry_of(operands));
    const Nodes shared = building.take(scan.shared_of(operands)), shared_dot = building.take(shared_dots.nodes);
    const Nodes carry = building.take(scan.carry_of(operands));
    const Nodes carry_dot = building.take(or_zeros(at(scan.carry_of(dots), carried.places), carried.nodes));
    const Nodes rows = building.take_rows(scan.rows_of(operands)), row_dot = building.take_rows(row_dots.nodes);
    const Nodes z = expand(scan.body, joined({shared, carry, rows}));
    Picked given;  // the floating ones of what each step gives
    for (std::size_t k = scan.carry; k < z.size(); ++k)
        if (is_floating(z[k].dtype())) given.add(k, z[k]);
    const Nodes ys = joined({at(z, carried.places), given.nodes});
    Nodes z_dot(call.results.size());
    if (!ys.empty()) {
        const Nodes wrt = joined({at(shared, shared_dots.places), at(carry, carried.places), at(rows, row_dots.places)});
        const Nodes y_dot = jvp(ys, wrt, joined({shared_dot, carry_dot, row_dot}));
        const std::span<const Node> split = y_dot;
        const Nodes results = joined({std::span<const Node>(z).first(scan.carry), split.first(carried.size()), split.subspan(carried.size())});
        const Attributes attributes = scan_attributes(building.body(results), shared.size() + shared_dot.size(), scan.carry + carried.size(),
                                                      scan, scan.reverse, scan.keeps);
        const Nodes all = apply_all(primitive(Op::scan), building.operands(), attributes);
        const std::size_t kept = 2 * scan.carry + carried.size() + given.size();  // the first tangent that is, behind the kept carries
        for (std::size_t k = 0; k < carried.size(); ++k) {
            z_dot[carried.places[k]] = all[scan.carry + k];
            if (scan.keeps) z_dot[scan.first_kept() + carried.places[k]] = all[kept + k];
        }
        for (std::size_t k = 0; k < given.size(); ++k) z_dot[given.places[k]] = all[scan.carry + carried.size() + k];
    }
    for (std::size_t k = 0; k < z_dot.size(); ++k) call.give(k, z_dot[k]);
}

/// Axes 0 and 1 in each other's place.
Node swapped(Node x) {
    Shape order{1, 0};
    for (std::int64_t i = 2; i < std::int64_t(x.shape().rank()); ++i) order.push_back(i);
    return transpose({x}, order);
}

/// A carry is batched where anything is. Rows have the steps in front of the batch.
void batch_of_scan(const BatchCall& call) {
    const Scan scan(call.x.attributes);
    std::vector<char> batched(call.x.count(), true);
    for (std::size_t k = 0; k < scan.shared; ++k) batched[k] = call.batched[k];
    Building building;
    Nodes x;
    for (std::size_t k = 0; k < call.x.count(); ++k)
        x.push_back(k < scan.shared                ? building.take(call.x[k])
                    : k < scan.shared + scan.carry ? building.take(call.with_axis(k))
                                                   : building.take_row(swapped(call.with_axis(k))));
    const Attributes attributes = scan_attributes(building.body(mapped(scan.body, x, batched)), scan.shared, scan.carry, scan, scan.reverse, scan.keeps);
    const Nodes z = apply_all(call.primitive, building.operands(), attributes);
    for (std::size_t k = 0; k < z.size(); ++k) call.give(k, k < scan.carry ? z[k] : swapped(z[k]));
}

}  // namespace

// carry, given_t = body(shared, carry, rows_t) for each t in turn: the last carry, all rows given, and each step's first carry
GRADTAPE_PRIMITIVE(scan, of(Primitive::variadic).giving_by(results_of_scan)
    .with_settings({"body", Kind::program}, {"groups", Kind::list}, {"length", Kind::integer}, {"reverse", Kind::flag})
    .shaped(type_of_scan).computed(scan_kernel).with_room(room_of_scan)
    .vjp(vjp_of_scan).jvp(jvp_of_scan).batch(batch_of_scan))

}  // namespace gradtape::detail::GRADTAPE_ISA
