#include <gradtape/nn/parameter.hpp>

#include <gradtape/program.hpp>
#include <gradtape/transforms.hpp>

#include "parameters.hpp"

#include <algorithm>

namespace gradtape::nn {

namespace {

void require_same_type(const Tensor& held, const Tensor& given, Where where) {
    if (held.shape() != given.shape())
        throw ShapeError("a parameter of shape " + to_string(held.shape()) + " cannot take a value of shape " +
                             to_string(given.shape()) + "; assign a new Parameter to change its shape",
                         {"parameter", {held.shape(), given.shape()}, {}, where});
    if (held.dtype() != given.dtype())
        throw DTypeError(std::string("a ") + to_string(held.dtype()) + " parameter cannot take a " +
                             to_string(given.dtype()) + " value; convert it with as()",
                         {"parameter", {held.shape(), given.shape()}, {}, where});
}

}  // namespace

void Parameter::set(Tensor value, Where where) {
    require_same_type(value_, value, where);
    value_ = std::move(value);
    leaf_.node = Node();
}

void Parameter::exchange(Tensor& other, Where where) {
    require_same_type(value_, other, where);
    std::swap(value_, other);
    leaf_.node = Node();
}

Node Parameter::on(Node x, Where where) const {
    if (!same_recording(leaf_.node, x)) leaf_.node = sibling_parameter(x, value_, where);
    return leaf_.node;
}

Node Parameter::on(Tape& tape, Where where) const {
    if (!leaf_.node.on(tape)) leaf_.node = tape.parameter(value_, where);
    return leaf_.node;
}

void Visitor::add(std::string_view name, Parameter& parameter) {
    found_.push_back(&parameter);
    if (with_names_) names_.push_back(prefix_ + std::string(name));
}

std::size_t Visitor::enter(std::string_view name) {
    const std::size_t outer = prefix_.size();
    if (with_names_) prefix_.append(name).append(".");
    return outer;
}

void Visitor::clear() noexcept {
    found_.clear();
    names_.clear();
}

std::vector<NamedParameter> Visitor::named(Where where) const {
    if (names_.size() != found_.size())
        throw ValueError("this visitor collects no names; make one with Visitor(true)", {"visit", {}, {}, where});
    std::vector<NamedParameter> result;
    for (std::size_t i = 0; i < found_.size(); ++i) {
        const std::string& name = names_.at(i);
        for (const NamedParameter& earlier : result) {
            if (earlier.parameter == found_[i])
                throw ValueError(
                    "one parameter is shown twice, as '" + earlier.name + "' and '" + name + "'; show each member once",
                    {"visit", {found_[i]->shape()}, {}, where});
            if (earlier.name == name)
                throw ValueError("two parameters are shown as '" + name + "'; give each member a name of its own",
                                 {"visit", {earlier.parameter->shape(), found_[i]->shape()}, {}, where});
        }
        result.push_back({name, found_[i]});
    }
    return result;
}

std::vector<Node> gradient_nodes(Node loss, std::span<Parameter* const> parameters, Where where) {
    require_parameters(parameters, "gradients", where);
    std::vector<Node> leaves;
    leaves.reserve(parameters.size());
    for (Parameter* parameter : parameters)
        if (const Node leaf = parameter->leaf(loss); leaf.is_valid()) leaves.push_back(leaf);
    const std::vector<Node> found = grad(loss, leaves, where);

    std::vector<Node> result;
    result.reserve(parameters.size());
    auto next = found.begin();
    for (Parameter* parameter : parameters) result.push_back(parameter->leaf(loss).is_valid() ? *next++ : Node());
    return result;
}

std::vector<Tensor> gradient_values(std::span<const Node> nodes, std::span<Parameter* const> parameters, Where where) {
    if (nodes.size() != parameters.size())
        throw ValueError(std::to_string(nodes.size()) + " nodes for " + std::to_string(parameters.size()) +
                             " parameters; need one for each", {"gradients", {}, {}, where});
    require_parameters(parameters, "gradients", where);
    std::vector<Tensor> result;
    result.reserve(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i)
        result.push_back(nodes[i].is_valid() ? Tensor(nodes[i].value(where))
                                  : Tensor::zeros(parameters[i]->shape(), parameters[i]->value().dtype(), where));
    return result;
}

std::vector<Tensor> gradients(Node loss, std::span<Parameter* const> parameters, Where where) {
    return gradient_values(gradient_nodes(loss, parameters, where), parameters, where);
}

std::vector<std::string> check_reach(Node loss, std::span<const NamedParameter> parameters, Where where) {
    for (const NamedParameter& p : parameters) require_parameters({&p.parameter, 1}, "check_reach", where);
    const std::vector<Reached> reached = parameters_reached(loss, where);
    const auto same = [](Node leaf, const Reached& r) { return leaf.is_valid() && leaf.index() == r.leaf.index(); };
    for (const Reached& r : reached) {
        const bool shown = std::any_of(parameters.begin(), parameters.end(),
                                       [&](const NamedParameter& p) { return same(p.parameter->leaf(loss), r); });
        if (shown) continue;
        const std::string line = to_string(origin(r.leaf, where).where);
        throw ValueError(
            "the loss depends on parameter %" + std::to_string(r.leaf.index()) + " " + to_string(r.leaf.type()) +
                (line.empty() ? "" : " (recorded at " + line + ")") + ", first used by [" + origin(r.user, where).primitive +
                "], which the model's visit does not show, so it would never be trained; show it in visit, "
                "or record it as a constant",
            {"check_reach", {r.leaf.shape()}, {}, where});
    }
    std::vector<std::string> warnings;
    for (const NamedParameter& p : parameters) {
        const Node leaf = p.parameter->leaf(loss);
        if (std::none_of(reached.begin(), reached.end(), [&](const Reached& r) { return same(leaf, r); }))
            warnings.push_back("parameter '" + p.name + "' does not reach the loss: it is never trained");
    }
    return warnings;
}

}  // namespace gradtape::nn
