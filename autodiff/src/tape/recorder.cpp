// Recording: infer the type, compute the value, append the instruction.
#include "evaluate.hpp"

#include "../support/extents.hpp"
#include "../support/number.hpp"

#include <atomic>
#include <bit>

namespace gradtape::detail {
namespace {

std::string names(const std::string& a, const std::string& b) { return a + " and " + b; }

}  // namespace

Recorder::Value Recorder::allocate(std::size_t bytes) {
    const Arena::Place place = arena_.allocate(bytes);
    return {{place.data, false}, std::int32_t(place.chunk)};
}

Node Recorder::append(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                      const Type& type, const Where& where, const Value& value) {
    // Both or neither: room is made before either grows.
    if (values_.size() == values_.capacity()) values_.reserve(2 * values_.size() + 64);
    instructions_.emplace_back(&primitive, attributes, operands, type, origin_.file ? origin_ : where);
    values_.push_back(value);
    return node(Index(instructions_.size() - 1));
}

Node Recorder::leaf(Op kind, const Tensor& value, Where where) {
    if (!value.raw()) throw TapeError("this tensor was moved from", {primitive(kind).name, {}, {}, where});
    leaves_.push_back({Index(instructions_.size()), value});
    const Value slot{{const_cast<void*>(value.raw()), false}, ~std::int32_t(leaves_.size() - 1)};
    return append(primitive(kind), {}, {}, value.type(), where, slot);
}

Node Recorder::leaf(Op kind, const Type& type, Where where) {
    check_exists(type, primitive(kind).name, where);
    if (!abstract_) return leaf(kind, Tensor::zeros(type.shape, type.dtype, where), where);
    return append(primitive(kind), {}, {}, type, where, {});
}

Node Recorder::number(const Type& type, double value, Where where) {
    check_exists(type.shape, "constant", where);
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    if (!numbers_) numbers_ = std::make_unique<KnownNumbers>();
    const std::size_t slot = (bits * 0x9E3779B97F4A7C15u >> 59) ^ std::size_t(type.shape.elements());
    KnownNumber& known = (*numbers_)[slot % numbers_->size()];
    const bool same = known.generation != 0 && known.bits == bits && known.type == type;
    if (same && known.generation == generation()) return node(known.index);
    Value block;
    if (!abstract_) {
        block = allocate(64);
        repeat_number(type.dtype, value, block.data);
        block.repeated = true;
    }
    // The next step on a cleared tape asks for the same numbers.
    const Attributes attributes = same ? known.attributes : Attributes{{"value", value}};
    const Node made = append(primitive(Op::constant), {}, attributes, type, where, block);
    known = {type, bits, made.index(), generation(), attributes};
    return made;
}

Node Recorder::full(const char* asker, const Type& type, Number value, Where where) {
    if (!holds(type.dtype, value))
        throw DTypeError("number " + digits(value) + " is no " + to_string(type.dtype), {asker, {type.shape}, {}, where});
    if (is_double(type.dtype, value)) return number(type, value.value(), where);
    const Node scalar = leaf(Op::constant, Tensor::full({}, value, type.dtype), where);
    if (type.shape.empty()) return scalar;
    return record(primitive(Op::broadcast_to), {scalar.index()}, {{"shape", type.shape}}, where);
}

void Recorder::check_elementwise(const Primitive& primitive, std::span<const Index> operands, Where where) const {
    const Type& first = instructions_[operands[primitive.loop_operand]].type;
    bool fits = primitive.dtypes.contains(first.dtype);
    for (std::size_t k = 0; k < operands.size(); ++k) {
        const Type& type = instructions_[operands[k]].type;
        fits = fits && type.shape == first.shape && (k < primitive.loop_operand || type.dtype == first.dtype);
    }
    if (!fits) [[unlikely]] refuse_elementwise(primitive, operands, where);
}

void Recorder::refuse_elementwise(const Primitive& primitive, std::span<const Index> operands, Where where) const {
    const Type& first = instructions_[operands[primitive.loop_operand]].type;
    ErrorFacts facts{primitive.name, {}, {}, where};
    for (Index i : operands) facts.shapes.push_back(instructions_[i].type.shape);
    if (!primitive.dtypes.contains(first.dtype))
        throw DTypeError(std::string("does not take ") + to_string(first.dtype) + "; cast first", facts);
    for (Index i : operands)
        if (!(instructions_[i].type.shape == first.shape))
            throw ShapeError("shapes " + names(to_string(first.shape), to_string(instructions_[i].type.shape)) +
                                 " differ; broadcast first", facts);
    std::string dtypes = to_string(first.dtype);
    for (std::size_t k = primitive.loop_operand; k < operands.size(); ++k)
        if (instructions_[operands[k]].type.dtype != first.dtype)
            dtypes = names(dtypes, to_string(instructions_[operands[k]].type.dtype));
    throw DTypeError("dtypes " + dtypes + " differ; cast one of them", facts);
}

Type Recorder::infer(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                     const Where& where) {
    if (primitive.arity != Primitive::variadic ? operands.size() != std::size_t(primitive.arity) : operands.empty())
        throw ValueError("takes " + std::to_string(primitive.arity) + " operands, got " + std::to_string(operands.size()),
                         {primitive.name, {}, {}, where});
    if (primitive.elementwise) check_elementwise(primitive, operands, where);
    types_.resize(operands.size());
    for (std::size_t k = 0; k < operands.size(); ++k) types_[k] = &instructions_[operands[k]].type;
    const Type type = primitive.shape({types_, attributes, primitive.name, where});
    if (!primitive.elementwise) check_exists(type, primitive.name, where, "result of shape ");
    return type;
}

void Recorder::compute_elementwise(const Primitive& primitive, std::span<const Index> operands, const Type& type,
                                   Value& z) {
    Stream streams[3];
    bool repeated = true;
    for (std::size_t k = 0; k < operands.size(); ++k) {
        const Value& x = values_[operands[k]];
        streams[k] = {x.data, x.repeated ? std::size_t(0) : std::size_t(1)};
        repeated = repeated && x.repeated;
    }
    const DType dtype = instructions_[operands[primitive.loop_operand]].type.dtype;
    // Of repeated values only one block is computed.
    const std::size_t count = repeated ? 64 / size_of(type.dtype) : std::size_t(type.shape.elements());
    z = allocate(repeated ? 64 : padded_bytes(type));
    z.repeated = repeated;
    kernels_of(primitive, kernels_).loop(dtype, type.dtype)(count, streams, z.data);
}

void Recorder::compute_whole(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                             const Type& type, Value& z) {
    for (Index i : operands) materialise(i);
    inputs_.clear();
    for (Index i : operands) inputs_.push_back({values_[i].data, &instructions_[i].type});
    z = allocate(padded_bytes(type));
    kernel_of(primitive, kernels_)({inputs_, z.data, type, attributes});
}

void Recorder::compute(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                       const Type& type, Value& z) {
    if (primitive.identity) {
        z = values_[operands[0]];
    } else if (has_loops(primitive)) {
        compute_elementwise(primitive, operands, type, z);
    } else if (&primitive == &detail::primitive(Op::broadcast_to) && instructions_[operands[0]].type.shape.elements() == 1) {
        z = allocate(64);
        z.repeated = true;
        repeat(type.dtype, values_[operands[0]].data, z.data);
    } else {
        compute_whole(primitive, operands, attributes, type, z);
    }
}

/// The types of all results; the operands' are still in `types_`.
std::vector<Type> Recorder::infer_further(const Primitive& primitive, const Attributes& attributes, const Type& first,
                                          const Where& where) const {
    std::vector<Type> types{first};
    for (std::size_t k = 1; k < std::size_t(primitive.result_count(attributes)); ++k) {
        types.push_back(primitive.shape({types_, attributes, primitive.name, where, k}));
        check_exists(types.back().shape, primitive.name, where, "result of shape ");
    }
    return types;
}

std::vector<Recorder::Value> Recorder::compute_results(const Primitive& primitive, std::span<const Index> operands,
                                                       const Attributes& attributes, std::span<const Type> types) {
    std::vector<Value> values(types.size());
    if (abstract_) return values;
    for (Index i : operands) materialise(i);
    inputs_.clear();
    for (Index i : operands) inputs_.push_back({values_[i].data, &instructions_[i].type});
    std::vector<KernelCall::Out> outputs;
    for (std::size_t k = 0; k < types.size(); ++k) {
        values[k] = allocate(padded_bytes(types[k]));
        outputs.push_back({values[k].data, &types[k]});
    }
    const TapeBodies bodies(attributes);
    const Arena::Mark mark = arena_.mark();
    void* const scratch = primitive.scratch ? arena_.allocate(primitive.scratch(attributes)).data : nullptr;
    kernel_of(primitive, kernels_)(
        {inputs_, outputs[0].data, types[0], attributes, std::span(outputs).subspan(1), bodies.data(), scratch});
    arena_.take_back(mark);
    return values;
}

/// The first result is the instruction's own; each further one is that of an instruction `result` right behind it.
Node Recorder::append_results(const Primitive& its, std::span<const Index> operands, const Attributes& attributes,
                              std::span<const Type> types, const Where& where, std::span<const Value> values) {
    const Node first = append(its, operands, attributes, types[0], where, values[0]);
    const Index made = first.index();
    for (std::size_t k = 1; k < types.size(); ++k)
        append(primitive(Op::result), {&made, 1}, {{"index", std::int64_t(k)}}, types[k], where, values[k]);
    return first;
}

Node Recorder::record_results(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                              const Type& type, const Where& where) {
    Attempt attempt(*this);
    const std::vector<Type> types = infer_further(primitive, attributes, type, where);
    const std::vector<Value> values = compute_results(primitive, operands, attributes, types);
    return attempt.keep(append_results(primitive, operands, attributes, types, where, values));
}

std::vector<Node> Recorder::results(Index first) {
    std::vector<Node> nodes;
    const Instruction& its = instructions_[first];
    for (int k = 0; k < its.primitive->result_count(its.attributes); ++k) nodes.push_back(node(first + Index(k)));
    return nodes;
}

Node Recorder::record(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                      const Where& where) {
    const Type type = infer(primitive, operands, attributes, where);
    if (primitive.results != 1) [[unlikely]] return record_results(primitive, operands, attributes, type, where);
    Value value;  // filled in before the kernel runs: read right after, as one register, it would be waited for
    if (!abstract_) compute(primitive, operands, attributes, type, value);
    return append(primitive, operands, attributes, type, where, value);
}

void Recorder::materialise(Index index) {
    Value& value = values_[index];
    const Type& type = instructions_[index].type;
    if (!value.repeated) return;
    ++handed_out_;
    if (type.shape.elements() > std::int64_t(64 / size_of(type.dtype))) {
        Value full = allocate(padded_bytes(type));
        write_out(type, value.data, full.data);
        value = full;
    }
    value.repeated = false;
}

bool Recorder::is_constant(Index index) const noexcept {
    const Primitive *constant = &primitive(Op::constant), *broadcast = &primitive(Op::broadcast_to);
    while (instructions_[index].primitive == broadcast) index = instructions_[index].operands[0];
    return instructions_[index].primitive == constant;
}

Tensor Recorder::value(Index index, Where where) {
    if (!has_value(index))
        throw TapeError("node %" + std::to_string(index) + " has no value: its tape is abstract",
                        {"value", {instructions_[index].type.shape}, {}, where.file ? where : instructions_[index].where});
    materialise(index);
    ++handed_out_;
    const Value& value = values_[index];
    const std::shared_ptr<const void> owner = value.owner < 0
        ? leaves_[std::size_t(~value.owner)].value.owner()
        : std::shared_ptr<const void>(arena_.owner(std::uint32_t(value.owner)));
    return Tensor::adopt(instructions_[index].type, owner, value.data);
}

double Recorder::read(Index index, Where where) {
    const double found = value(index, where).item();
    if (guards_) record(primitive(Op::guard), {index}, {{"expected", found}}, where);
    return found;
}

void Recorder::check_unguarded(Index index, Where where) const {
    if (guards_ && !is_constant(index)) [[unlikely]]
        throw TapeError("node %" + std::to_string(index) + " is read as a tensor while its tape guards reads: a replay would "
                        "not see what becomes of it; read numbers by item(), which is guarded, look at it by peek(), or "
                        "call guard_reads(false) once all is recorded",
                        {"value", {instructions_[index].type.shape}, {}, where});
}

const Tensor* Recorder::leaf_value(Index index) const noexcept {
    const std::int32_t owner = values_[index].owner;
    if (!instructions_[index].primitive->leaf || owner >= 0) return nullptr;
    return &leaves_[std::size_t(~owner)].value;
}

}  // namespace gradtape::detail
