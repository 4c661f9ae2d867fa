// Sums that take their elements piece by piece, in the same tree as reduce_sum.
#include "reduce_stream.hpp"

#include "fold.hpp"

#include <bit>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// fold_rows, suspended between two rows.
template <class T>
struct State {
    static constexpr int registers = row_registers<T>;
    using Rows = Row<T, registers>;

    Rows current;
    int64_t blocks, rows;  // rows: of the current block
    int top;

    /// Sums of 2^k blocks, behind this: one for each bit that `blocks` can have.
    Rows* pending() { return reinterpret_cast<Rows*>(this + 1); }
    const Rows* pending() const { return reinterpret_cast<const Rows*>(this + 1); }
};

template <class T>
std::size_t state_bytes(std::size_t count) {
    const std::size_t blocks = count / (block_rows * sizeof(typename State<T>::Rows) / sizeof(T));
    return sizeof(State<T>) + std::size_t(std::bit_width(blocks)) * sizeof(typename State<T>::Rows);
}

template <class T>
void clear(typename State<T>::Rows& row) {
    for (auto& v : row.at) v = all(T(0));
}

template <class T>
void begin(void* memory) {
    auto& state = *static_cast<State<T>*>(memory);
    clear<T>(state.current);
    state.top = 0;
    state.blocks = state.rows = 0;
}

/// Takes `row`, the sum of `size` blocks, into the binary counter.
template <class T>
void push(State<T>& state, typename State<T>::Rows row, int64_t size) {
    for (int64_t bit = state.blocks / size; bit & 1; bit >>= 1)
        row = combine_rows<Sum, T, State<T>::registers>(state.pending()[--state.top], row);
    state.pending()[state.top++] = row;
    state.blocks += size;
}

template <class T>
void add(void* memory, const void* elements, std::size_t count) {
    auto& state = *static_cast<State<T>*>(memory);
    constexpr int width = lanes<T>, N = State<T>::registers;
    const T* x = static_cast<const T*>(elements);
    int64_t left = int64_t(count);
    while (left >= N * width) {
        const int64_t here = left / (N * width), room = block_rows - state.rows, rows = here < room ? here : room;
        for (int64_t row = 0; row < rows; ++row, x += N * width)
            for (int j = 0; j < N; ++j) state.current.at[j] = Sum::combine(state.current.at[j], load(x + j * width));
        left -= rows * N * width;
        state.rows += rows;
        if (state.rows < block_rows) break;
        push(state, state.current, 1);
        clear<T>(state.current);
        state.rows = 0;
    }
    for (int j = 0; left > 0; ++j, x += width, left -= width)
        state.current.at[j] =
            Sum::combine(state.current.at[j], left < width ? load_first(x, int(left), T(0)) : load(x));
}

template <class T>
void append(void* memory, const void* other) {
    auto& state = *static_cast<State<T>*>(memory);
    const auto& next = *static_cast<const State<T>*>(other);
    if (next.top == 1) {
        push(state, next.pending()[0], next.blocks);
    } else {
        for (int i = 0; i < next.top; ++i) state.pending()[state.top++] = next.pending()[i];
        state.blocks += next.blocks;
    }
    state.current = next.current;
    state.rows = next.rows;
}

template <class T>
void end(void* memory, void* result) {
    auto& state = *static_cast<State<T>*>(memory);
    auto sum = state.current;
    while (state.top > 0) sum = combine_rows<Sum, T, State<T>::registers>(state.pending()[--state.top], sum);
    *static_cast<T*>(result) = fold_lanes<Sum>(fold_registers<Sum, T, State<T>::registers>(sum));
}

template <class T>
constexpr StreamReduction stream{&state_bytes<T>, &begin<T>, &add<T>, &append<T>, &end<T>};

}  // namespace

constinit const StreamReduction sum_stream_float = stream<float>;
constinit const StreamReduction sum_stream_double = stream<double>;

}  // namespace gradtape::detail::GRADTAPE_ISA
