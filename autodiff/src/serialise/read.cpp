// Bytes to programs. Nothing is trusted: every rule is checked before what it protects is used.
#include "../ir/print.hpp"
#include "../ir/verify.hpp"
#include "../primitives/catalogue.hpp"
#include "read.hpp"
#include "scanner.hpp"

#include <charconv>
#include <cstring>
#include <limits>
#include <map>
#include <set>

namespace gradtape::detail {
namespace {

/// File names of source lines. A set's strings stay where they are.
using Names = std::set<std::string, std::less<>>;

class Reader {
public:
    Reader(Source& source, OwnPrimitives own, Reading reading) : in_(source, std::move(reading)) {
        for (const Primitive* p : primitive_table()) known_[p->name] = p;
        for (const Primitive* p : own) {
            if (!p || !p->name) refuse("one of the own primitives is null, or has no name");
            const Primitive* first = known_.emplace(p->name, p).first->second;
            if (first != p) refuse("two primitives are called '" + std::string(p->name) + "'; rename the own one");
        }
    }

    Program read() {
        if (!in_.take(format::magic)) in_.fail("this is no program file: it does not start with 'gradtape program'");
        const std::size_t start = in_.at();
        const std::string_view version = in_.line_rest();
        const bool has_functions = version == format::version_with_functions;
        if (version != format::version && !has_functions) in_.fail("unknown version; this library reads versions 1 and 2", start);
        in_.end_line();
        if (has_functions && !in_.sees("function ")) in_.fail("expected a function: a program without any is of version 1");
        while (has_functions && in_.sees("function ")) read_function();
        while (in_.sees("%")) read_instruction();
        read_results();
        while (in_.sees("update")) read_update();
        read_values();
        read_data();
        settle_functions();
        body_->names = std::move(names_);
        return Program(std::move(body_));
    }

private:
    [[noreturn]] void refuse(const std::string& problem) const {
        throw ValueError(problem, {in_.reading().function, {}, {}, in_.reading().where});
    }

    /// A program that others use. Its constants' tensors come at the end of the file; without them it serves to check these.
    struct Function {
        std::unique_ptr<Program::Body> body;
        std::vector<Index> constants;
        std::size_t at;
    };
    /// Attribute `attribute` of an instruction, the function's of this number or the program's own, is function `its`.
    struct Use {
        std::size_t user;
        Index instruction;
        std::size_t attribute, its;
    };

    void read_function() {
        const std::size_t start = in_.at();
        in_.expect("function @f");
        if (in_.digits(std::numeric_limits<Index>::max()) != functions_.size())
            in_.fail("functions are numbered in order: expected @f" + std::to_string(functions_.size()), start);
        in_.end_line();
        while (in_.sees("%")) read_instruction();
        read_results();
        body_->names = names_;
        subprograms_.push_back(subprogram(*body_, start));
        functions_.push_back({std::exchange(body_, std::make_unique<Program::Body>()), std::exchange(constants_, {}), start});
    }

    Subprogram subprogram(const Program::Body& body, std::size_t at) const {
        std::optional<Subprogram> result;
        try {
            result.emplace(Program(std::make_unique<Program::Body>(body)), Where{});
        } catch (const Error& error) {
            in_.fail(error.what(), at);
        }
        if (result->program().size() != body.instructions.size()) in_.fail("the function has an instruction that no result needs", at);
        return *result;
    }

    /// Now that all tensors are known: each function is made anew, and takes its place in the attributes of those after it.
    void settle_functions() {
        auto use = uses_.begin();
        const auto settle_uses = [&](std::size_t user, Program::Body& body) {
            for (; use != uses_.end() && use->user == user; ++use) {
                Attributes& attributes = body.instructions[use->instruction].attributes;
                std::vector<Attribute> list(attributes.list().begin(), attributes.list().end());
                list[use->attribute].value = subprograms_[use->its];
                attributes = Attributes(std::span<const Attribute>(list));
            }
        };
        for (std::size_t k = 0; k < functions_.size(); ++k) {
            settle_uses(k, *functions_[k].body);
            subprograms_[k] = subprogram(*functions_[k].body, functions_[k].at);
        }
        settle_uses(functions_.size(), *body_);
        const Functions used(*body_);
        for (std::size_t k = 0; k < functions_.size(); ++k)
            if (k >= used.all().size() || !(used.all()[k] == subprograms_[k]))
                in_.fail("the function is not used, or is there twice, or not in the order of use", functions_[k].at);
    }

    const Instruction& instruction(Index index) const { return body_->instructions[index]; }

    /// "%7", one of the first `count` instructions.
    Index value(std::size_t count, const char* what) {
        const std::size_t start = in_.at();
        in_.expect("%");
        const std::uint64_t index = in_.digits(std::numeric_limits<Index>::max() - 1);
        if (index >= count) in_.fail(std::string(what) + " %" + std::to_string(index) + " is not computed before it is used", start);
        return Index(index);
    }

    void read_instruction() {
        const std::size_t start = in_.at(), index = body_->instructions.size();
        in_.take("%");
        if (in_.digits(std::numeric_limits<Index>::max() - 1) != index)
            in_.fail("values are numbered in order: expected %" + std::to_string(index), start);
        in_.expect(" = ");
        const std::size_t name_at = in_.at();
        const std::string_view name = in_.name("the name of a primitive");
        const auto found = known_.find(name);
        if (found == known_.end()) in_.fail("unknown primitive '" + std::string(name.substr(0, 100)) + "'", name_at);
        Instruction made;
        made.primitive = found->second;
        operands_.clear();
        while (in_.sees(" %")) {
            in_.take(" ");
            operands_.push_back(value(index, "operand"));
        }
        const std::size_t count = operands_.size();
        const int arity = made.primitive->arity;
        if (arity == Primitive::variadic ? count == 0 : count != std::size_t(arity))
            in_.fail(std::string(name) + " takes " + (count == 0 && arity < 0 ? "at least 1" : std::to_string(arity)) +
                     " operands, not " + std::to_string(count));
        made.operands = SmallVector<Index, 3>(operands_);
        made.attributes = attributes(*made.primitive);
        in_.expect(" : ");
        made.type.dtype = in_.dtype();
        made.type.shape = in_.extents();
        if (in_.take("  # ")) made.where = place();
        in_.end_line();
        add(std::move(made), name_at);
    }

    /// Appends an instruction that keeps the rules, and notes what leaves there are.
    void add(Instruction made, std::size_t name_at) {
        const Index index = Index(body_->instructions.size());
        const Primitive* p = made.primitive;
        body_->instructions.push_back(std::move(made));
        try {
            verify_from(body_->instructions, index);
        } catch (const Error& error) {
            in_.fail(error.what(), name_at);
        }
        if (p == &primitive(Op::input))
            body_->inputs.push_back(index);
        else if (p == &primitive(Op::parameter))
            body_->parameters.push_back(index);
        else if (p->leaf && instruction(index).attributes.list().empty())
            constants_.push_back(index);
    }

    Attributes attributes(const Primitive& p) {
        Attribute list[Attributes::max];
        std::size_t count = 0;
        while (in_.next() == ' ' && format::is_letter(in_.next(1))) {
            in_.take(" ");
            const std::size_t start = in_.at();
            const std::string name(in_.name("an attribute"));
            const Setting* setting = count < Attributes::max ? &p.settings[count] : nullptr;
            if (!setting || !setting->name || name != setting->name) refuse_attribute(p, count, name, start);
            in_.expect("=");
            if (setting->kind == Setting::Kind::program)
                list[count] = {setting->name, function(count)};
            else
                list[count] = {setting->name, attribute(setting->kind)};
            ++count;
        }
        const bool more = count < Attributes::max && p.settings[count].name;
        if (more && !(count == 0 && p.settings_optional))
            in_.fail(std::string("attribute '") + p.settings[count].name + "' of " + p.name + " is missing");
        return Attributes(std::span<const Attribute>(list, count));
    }

    [[noreturn]] void refuse_attribute(const Primitive& p, std::size_t count, const std::string& name, std::size_t at) {
        const std::string its = "attribute '" + name.substr(0, 100) + "'";
        for (std::size_t k = 0; k < Attributes::max && p.settings[k].name; ++k)
            if (name == p.settings[k].name)
                in_.fail(its + (k < count ? " is given twice" : " is out of order") + "; expected " +
                         (count < Attributes::max && p.settings[count].name ? p.settings[count].name : "no more"), at);
        in_.fail(std::string(p.name) + " has no " + its, at);
    }

    Subprogram function(std::size_t attribute) {
        const std::size_t start = in_.at();
        in_.expect("@f");
        const std::uint64_t its = in_.digits(std::numeric_limits<Index>::max());
        if (its >= functions_.size()) in_.fail("function @f" + std::to_string(its) + " does not come before its use", start);
        uses_.push_back({functions_.size(), Index(body_->instructions.size()), attribute, std::size_t(its)});
        return subprograms_[std::size_t(its)];
    }

    Attribute::Value attribute(Setting::Kind kind) {
        using Kind = Setting::Kind;
        switch (kind) {
            case Kind::flag:
                if (in_.take("true")) return true;
                if (in_.take("false")) return false;
                in_.fail("expected true or false");
            case Kind::integer: return in_.integer();
            case Kind::number: return in_.number();
            case Kind::dtype: return in_.dtype();
            case Kind::extents: return in_.extents();
            case Kind::list: return in_.integers();
            default: return in_.list();  // its integers are in range
        }
    }

    Where place() {
        const std::size_t start = in_.at();
        const std::string_view text = in_.line_rest();
        const std::size_t colon = text.rfind(':');
        if (colon == text.npos || colon == 0) in_.fail("expected a source line, file:number", start);
        const std::string_view file = text.substr(0, colon);
        for (std::size_t i = 0; i < file.size(); ++i)
            if (!format::is_printable(file[i]) || file[i] == '/') in_.fail("a file name has a control character or '/'", start + i);
        const std::string_view digits = text.substr(colon + 1);
        unsigned number = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (read.ec != std::errc() || std::to_string(number) != digits)
            in_.fail("expected the number of a source line", start + colon + 1);
        auto name = names_->find(file);
        if (name == names_->end()) name = names_->emplace(file).first;
        return {name->c_str(), number};
    }

    void read_results() {
        in_.expect("return");
        while (in_.take(" ")) body_->outputs.push_back(value(body_->instructions.size(), "result"));
        in_.end_line();
    }

    void read_update() {
        in_.expect("update ");
        const std::size_t start = in_.at(), count = body_->instructions.size();
        const Index parameter = value(count, "parameter");
        if (instruction(parameter).primitive != &primitive(Op::parameter))
            in_.fail("%" + std::to_string(parameter) + " is no parameter: it cannot be updated", start);
        if (!updated_.insert(parameter).second) in_.fail("parameter %" + std::to_string(parameter) + " is updated twice", start);
        in_.expect(" ");
        const std::size_t value_at = in_.at();
        const Index next = value(count, "value");
        if (!(instruction(next).type == instruction(parameter).type))
            in_.fail("an update of type " + to_string(instruction(next).type) + " for a parameter of type " +
                         to_string(instruction(parameter).type), value_at);
        in_.end_line();
        body_->updates.push_back({parameter, next});
    }

    /// A leaf with a tensor in the file, and where that goes.
    struct Leaf {
        const Program::Body* body;
        Index index;
        std::string name;  ///< "@f0 %3"
        std::vector<Program::Body::Constant>* constants;
        std::vector<Tensor>* values;
    };

    void add_leaves(Program::Body& body, std::span<const Index> indices, const std::string& function, std::vector<Tensor>* values = nullptr) {
        for (Index i : indices) leaves_.push_back({&body, i, function + "%" + std::to_string(i), &body.constants, values});
    }

    /// All constants without a number, of functions first; then all inputs and parameters, or none.
    void read_values() {
        for (std::size_t k = 0; k < functions_.size(); ++k)
            add_leaves(*functions_[k].body, functions_[k].constants, "@f" + std::to_string(k) + " ");
        add_leaves(*body_, constants_, "");
        const std::size_t constants = leaves_.size();
        add_leaves(*body_, body_->inputs, "", &body_->input_values);
        add_leaves(*body_, body_->parameters, "", &body_->parameter_values);
        while (in_.take("value ")) {
            const std::size_t start = in_.at();
            if (given_ == leaves_.size()) in_.fail("no more leaves need a value", start);
            const Leaf& leaf = leaves_[given_];
            if (in_.line_rest() != leaf.name) in_.fail("expected the value of " + leaf.name, start);
            const Type& type = leaf.body->instructions[leaf.index].type;
            bytes_needed_ += std::size_t(type.shape.elements()) * size_of(type.dtype);
            if (bytes_needed_ > in_.size())
                in_.fail("the file is too short for a value of type " + to_string(type), start);
            in_.end_line();
            ++given_;
        }
        if (given_ != leaves_.size() && given_ != constants) in_.fail("the value of " + leaves_[given_].name + " is missing");
    }

    void read_data() {
        in_.expect("data ");
        const std::size_t start = in_.at();
        const std::uint64_t size = in_.digits(std::numeric_limits<std::int64_t>::max());
        if (size != bytes_needed_) in_.fail("the values have " + std::to_string(bytes_needed_) + " bytes", start);
        in_.expect(" ");
        const std::size_t sum_at = in_.at();
        const std::uint64_t sum = in_.hex();
        in_.end_line();
        const std::size_t there = in_.size() - in_.at();
        if (there < size) in_.fail(std::to_string(size - there) + " bytes are missing at the end", in_.size());
        if (there > size) in_.fail(std::to_string(there - size) + " bytes too many", in_.at() + size);
        in_.fill();
        const std::string_view data = in_.bytes().substr(in_.at());
        if (sum != format::checksum(data, format::checksum(in_.bytes().substr(0, sum_at))))
            in_.fail("the checksum is wrong: the file is damaged", sum_at);
        for (std::size_t k = 0; k < given_; ++k) {
            const Leaf& leaf = leaves_[k];
            const Tensor value = tensor(leaf.body->instructions[leaf.index].type);
            if (leaf.values)
                leaf.values->push_back(value);
            else
                leaf.constants->push_back({leaf.index, value});
        }
    }

    Tensor tensor(const Type& type) {
        const Tensor result = Tensor::uninitialised(type);
        const std::size_t start = in_.at();
        const std::string_view bytes = in_.take(result.bytes());
        for (std::size_t i = 0; type.dtype == DType::boolean && i < bytes.size(); ++i)
            if (bytes[i] != 0 && bytes[i] != 1) in_.fail("a boolean is neither 0 nor 1", start + i);
        if (!bytes.empty()) std::memcpy(const_cast<void*>(result.raw()), bytes.data(), bytes.size());
        return result;
    }

    Scanner in_;
    std::map<std::string_view, const Primitive*> known_;
    std::unique_ptr<Program::Body> body_ = std::make_unique<Program::Body>();
    std::shared_ptr<Names> names_ = std::make_shared<Names>();
    std::vector<Index> operands_;  // scratch
    std::set<Index> updated_;
    std::vector<Index> constants_;  // those that need a tensor
    std::vector<Leaf> leaves_;
    std::vector<Function> functions_;
    std::vector<Subprogram> subprograms_;  // the functions, as far as they are known
    std::vector<Use> uses_;                // in their order
    std::size_t given_ = 0, bytes_needed_ = 0;
};

}  // namespace

Program read_program(Source& source, OwnPrimitives own, Reading reading) {
    return Reader(source, own, std::move(reading)).read();
}

}  // namespace gradtape::detail
