// Constant folding: what depends on constants only is computed now, by the kernels that would have run.
#include "rewrite.hpp"

#include "../execute/execute.hpp"
#include "../ir/own.hpp"
#include "../kernels/kernels.hpp"
#include "../primitives/catalogue.hpp"

#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_map>

namespace gradtape::detail {
namespace {

/// A number is repeated for nothing; written out, it must not take more than this.
constexpr std::size_t most_bytes = std::size_t(1) << 20;

/// A constant while folding: the elements, or one block that stands for all of them.
struct Known {
    Tensor elements;
    bool repeated = false;
};

class Folder {
public:
    explicit Folder(const Body& body) : body_(body), constant_(constant_leaves(body)) {
        const std::size_t size = body.instructions.size();
        repeated_.resize(size);
        uses_.resize(size);
        wanted_.resize(size);
    }

    Body run() {
        if (!choose()) return body_;
        Body result = body_;
        auto constants = std::move(result.constants);
        result.constants.clear();
        std::size_t next = 0;
        for (Index i = 0; i < body_.instructions.size(); ++i) {
            const bool stored = next < constants.size() && constants[next].index == i;
            if (uses_[i] || wanted_[i]) known_.emplace(i, stored ? known(constants[next].value) : compute(i));
            if (stored) result.constants.push_back(std::move(constants[next++]));
            if (wanted_[i]) write(result, i);
            if (!uses_[i]) known_.erase(i);
        }
        return result;
    }

private:
    const Instruction& at(Index i) const { return body_.instructions[i]; }
    bool is_one(Index i) const { return at(i).type.shape.elements() == 1; }
    /// True where a repeated operand makes a result that repeats the same element.
    static bool passes_on(const Instruction& instruction) {
        return instruction.primitive->identity || instruction.primitive == &primitive(Op::broadcast_to);
    }
    bool folds(Index i) const { return constant_[i] && !at(i).primitive->leaf; }

    /// Settles what is folded (constant_), whose value is wanted in the new program, and how often each is used on the
    /// way there. False where nothing folds.
    bool choose() {
        for (Index i = 0; i < body_.instructions.size(); ++i) {
            if (at(i).primitive->leaf)
                repeated_[i] = repeated_number(at(i)) || is_one(i);
            else
                constant_[i] = may_fold(i);
        }
        for (Index i : body_.outputs) wanted_[i] = folds(i);
        for (const Body::Update& update : body_.updates) wanted_[update.value] = folds(update.value);
        bool any = false;
        for (Index i = Index(body_.instructions.size()); i-- > 0;) {
            if (folds(i) && (wanted_[i] || uses_[i])) {
                any = true;
                for (Index operand : at(i).operands) ++uses_[operand];
            } else if (!folds(i)) {
                for (Index operand : at(i).operands) wanted_[operand] = folds(operand);
            }
        }
        return any;
    }

    /// Has one result, and is none of several.
    static bool is_alone(const Primitive& primitive) { return primitive.results == 1 && !primitive.takes_result; }

    bool may_fold(Index i) {
        const Instruction& instruction = at(i);
        bool constant = !instruction.primitive->effect && is_alone(*instruction.primitive) && instruction.operands.size() > 0, repeated = true, small = true;
        for (Index operand : instruction.operands) {
            constant = constant && constant_[operand];
            repeated = repeated && repeated_[operand];
            small = small && (!repeated_[operand] || padded_bytes(at(operand).type) <= most_bytes);
        }
        const bool free = repeated && (has_loops(*instruction.primitive) || passes_on(instruction));
        repeated_[i] = free || is_one(i);
        return constant && (free || (small && padded_bytes(instruction.type) <= most_bytes));
    }

    Known compute(Index i) {
        const Instruction& instruction = at(i);
        if (const double* number = repeated_number(instruction)) {
            Tensor block = block_of(instruction.type.dtype);
            repeat_number(instruction.type.dtype, *number, data(block));
            return {block, true};
        }
        Known result = run(instruction);
        for (Index operand : instruction.operands)
            if (--uses_[operand] == 0) known_.erase(operand);
        return result;
    }

    /// One element is kept as a block that repeats it.
    static Known known(const Tensor& elements) {
        if (elements.elements() != 1) return {elements};
        Tensor block = block_of(elements.dtype());
        repeat(elements.dtype(), elements.raw(), data(block));
        return {block, true};
    }

    Known run(const Instruction& instruction) const {
        const Known& x = known_.at(instruction.operands[0]);
        if (x.repeated && passes_on(instruction)) return x;
        if (instruction.primitive->identity)
            return {Tensor::adopt(instruction.type, x.elements.owner(), x.elements.raw())};
        return has_loops(*instruction.primitive) ? run_loop(instruction) : run_kernel(instruction);
    }

    Known run_loop(const Instruction& instruction) const {
        const Primitive& primitive = *instruction.primitive;
        std::vector<Stream> streams;
        bool repeated = true;
        for (Index operand : instruction.operands) {
            const Known& x = known_.at(operand);
            streams.push_back({x.elements.raw(), x.repeated ? std::size_t(0) : std::size_t(1)});
            repeated = repeated && x.repeated;
        }
        Tensor z = repeated ? block_of(instruction.type.dtype) : Tensor::uninitialised(instruction.type);
        const DType dtype = at(instruction.operands[primitive.loop_operand]).type.dtype;
        kernels_of(primitive).loop(dtype, instruction.type.dtype)(std::size_t(z.elements()), streams.data(), data(z));
        return {z, repeated};
    }

    Known run_kernel(const Instruction& instruction) const {
        std::vector<Tensor> elements;
        std::vector<KernelCall::In> inputs;
        for (Index operand : instruction.operands) {
            const Type& type = at(operand).type;
            elements.push_back(written_out(known_.at(operand), type));
            inputs.push_back({elements.back().raw(), &type});
        }
        Tensor z = Tensor::uninitialised(instruction.type);
        in_the_name_of(*instruction.primitive, instruction.where, [&] {
            kernel_of(*instruction.primitive)({inputs, data(z), instruction.type, instruction.attributes});
        });
        return known(z);
    }

    /// Instruction i becomes a constant, a number where that says every bit.
    void write(Body& result, Index i) const {
        const Known& known = known_.at(i);
        Instruction constant{&primitive(Op::constant), {}, {}, at(i).type, at(i).where};
        if (const std::optional<double> number = number_of(known.elements))
            constant.attributes = {{"value", *number}};
        else if (!known.repeated || padded_bytes(constant.type) <= most_bytes)
            result.constants.push_back({i, written_out(known, constant.type)});
        else
            return;
        result.instructions[i] = constant;
    }

    static Tensor block_of(DType dtype) { return Tensor::uninitialised({dtype, {std::int64_t(64 / size_of(dtype))}}); }
    static void* data(Tensor& tensor) { return const_cast<void*>(tensor.raw()); }

    static Tensor written_out(const Known& known, const Type& type) {
        if (!known.repeated) return known.elements;
        Tensor elements = Tensor::uninitialised(type);
        write_out(type, known.elements.raw(), data(elements));
        return elements;
    }

    /// The number that all elements are, where a constant made of it has the same bits. No NaN: text would lose its bits.
    static std::optional<double> number_of(const Tensor& tensor) {
        const std::size_t bytes = tensor.bytes(), width = size_of(tensor.dtype());
        if (bytes == 0) return 0.0;
        const char* elements = static_cast<const char*>(tensor.raw());
        if (std::memcmp(elements, elements + width, bytes - width) != 0) return {};
        const double number = Tensor::adopt({tensor.dtype(), {}}, tensor.owner(), elements).item();
        if (std::isnan(number) || (tensor.dtype() == DType::int64 && std::abs(number) >= 0x1p63)) return {};
        alignas(64) char block[64];
        repeat_number(tensor.dtype(), number, block);
        return std::memcmp(block, elements, width) == 0 ? std::optional(number) : std::nullopt;
    }

    const Body& body_;
    std::vector<char> constant_, repeated_, wanted_;
    std::vector<Index> uses_;
    std::unordered_map<Index, Known> known_;  // as long as they are needed
};

}  // namespace

Body fold_constants(const Body& body) { return Folder(body).run(); }

}  // namespace gradtape::detail
