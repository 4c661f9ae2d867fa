// A model bound to a replay: the same bits as steps by hand, values written back, and what is refused.
#include <gradtape/nn/nn.hpp>

#include "support/refusals.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

struct Line {
    nn::Parameter w = Tensor{{0.5, -0.25}}, b = Tensor{0.125};
    nn::Parameter unused = Tensor{7};
    void visit(nn::Visitor& v) { v("w", w), v("b", b), v("unused", unused); }
    Node operator()(Node x) const { return matmul(x, w.on(x), {.y = true}) + b.on(x); }
};

const Tensor inputs{{1, 2}, {3, -1}, {0.5, 0.25}}, targets{{1}, {0}, {-1}};

/// One step by hand, recorded anew: gradients, w - 0.1 g, and set.
double step_by_hand(Line& line) {
    Tape tape;
    const Node x = tape.input(inputs), y = tape.input(targets);
    const Node loss = nn::mean_squared_error(line(x), y);
    std::vector<nn::Parameter*> trained{&line.w, &line.b};
    const std::vector<Node> g = nn::gradient_nodes(loss, trained);
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < 2; ++i) next.push_back((trained[i]->leaf(loss) - 0.1 * g[i]).value());
    for (std::size_t i = 0; i < 2; ++i) trained[i]->set(next[i]);
    return loss.item();
}

nn::ModelReplay bind(Line& line, Tape& tape) {
    const Node x = tape.input(inputs), y = tape.input(targets);
    const Node loss = nn::mean_squared_error(line(x), y);
    return nn::ModelReplay(line, tape, loss, nn::updates(loss, line, [](Node w, Node g) { return w - 0.1 * g; }));
}

TEST_CASE("model replay: the bits of steps by hand, and the model has them after every run") {
    Line a, b;
    Tape tape;
    nn::ModelReplay replay = bind(a, tape);
    std::vector<Tensor> kept;
    for (int i = 0; i < 5; ++i) {
        replay.run();
        CHECK(replay.output(0).item() == step_by_hand(b));
        CHECK(same_bits(a.w.value(), b.w.value()));
        CHECK(same_bits(a.b.value(), b.b.value()));
        CHECK(a.unused.value().item() == 7);
        kept.push_back(a.w.value());
        if (i > 0) CHECK_FALSE(same_bits(kept[0], kept.back()));
    }
    CHECK_FALSE(same_bits(kept[0], kept[1]));  // what was taken out stays as it was
}

TEST_CASE("model replay: a value that the model is given between runs is the next run's") {
    Line a, b;
    Tape tape;
    nn::ModelReplay replay = bind(a, tape);
    replay.run();
    step_by_hand(b);
    a.w.set(Tensor{{2, 3}});
    b.w.set(Tensor{{2, 3}});
    a.b = nn::Parameter(Tensor{-1});  // even where the member is another one
    b.b = nn::Parameter(Tensor{-1});
    replay.run({inputs, targets});
    step_by_hand(b);
    CHECK(same_bits(a.w.value(), b.w.value()));
    CHECK(same_bits(a.b.value(), b.b.value()));
}

TEST_CASE("model replay: where a run throws, the model is as it was") {
    Line line;
    Tape tape;
    tape.guard_reads(true);
    const Node x = tape.input(inputs), y = tape.input(targets);
    const Node loss = nn::mean_squared_error(line(x), y);
    (void)sum(x).item();
    nn::ModelReplay replay(line, tape, loss, nn::updates(loss, line, [](Node w, Node g) { return w - 0.1 * g; }));
    const Tensor before = line.w.value().copy();
    CHECK_THROWS_AS(replay.run({Tensor::zeros({3, 2}), targets}), GuardFailed);
    CHECK(same_bits(line.w.value(), before));
    replay.run({inputs, targets});
    CHECK_FALSE(same_bits(line.w.value(), before));
}

TEST_CASE("model replay: refusals") {
    Line line;
    Tape tape;
    const Node x = tape.input(inputs), rate = tape.parameter(Tensor(0.5));
    const Node loss = mean(line(x)) * rate;
    const auto rule = [](Node w, Node g) { return w - g; };
    CHECK(refused<ValueError>([&] { (void)nn::updates(loss, line, rule); }, {"check_reach"}) == "");
    const Node twice = rate * 2;
    CHECK(refused<ValueError>([&] { (void)nn::ModelReplay(line, tape, loss, {{rate, twice}}); }, {"model_replay"}) == "");
    Line other;
    CHECK(refused<ValueError>([&] { (void)nn::ModelReplay(other, tape, loss); }, {"model_replay"}) == "");
    nn::ModelReplay replay(line, tape, loss);
    line.w = nn::Parameter(Tensor{{1, 2, 3}});
    CHECK(refused<ShapeError>([&] { replay.run(); }, {"replay"}) == "");
    CHECK(refused<ShapeError>([&] { replay.run({Tensor(1.0)}); }, {"replay"}) == "");
    std::vector<nn::Parameter> many(2, Tensor(1.0));
    struct Growing {
        std::vector<nn::Parameter>& all;
        void visit(nn::Visitor& v) { v("all", all); }
    } growing{many};
    Tape second;
    const Node total = many[0].on(second) + many[1].on(second);
    nn::ModelReplay grown(growing, second, total);
    many.emplace_back(Tensor(2.0));
    CHECK(refused<ValueError>([&] { grown.run(); }, {"model_replay"}) == "");
}

}  // namespace
}  // namespace gradtape::test
