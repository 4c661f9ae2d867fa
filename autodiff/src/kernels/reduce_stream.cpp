// Sums that take their elements piece by piece, in the same tree as reduce_sum.
#include "reduce_stream.hpp"

#include "fold.hpp"

#include <bit>
#include <cstring>

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

/// fold_rows on rows of any length, suspended between two of them: the sum of the present block, and of 2^k blocks for each
/// bit that `blocks` can have, lie behind this.
struct alignas(64) RowState {
    int64_t length, padded;
    int64_t blocks, rows;  // rows: of the present block
    int top;

    template <class T>
    T* sum(int k) {
        return reinterpret_cast<T*>(this + 1) + k * padded;
    }
};

template <class T>
int64_t padded_length(std::size_t length) {
    return int64_t((length * sizeof(T) + 63) / 64 * 64 / sizeof(T));
}

template <class T>
std::size_t row_state_bytes(std::size_t rows, std::size_t length) {
    const auto sums = std::size_t(1 + std::bit_width(rows / block_rows));
    return sizeof(RowState) + sums * std::size_t(padded_length<T>(length)) * sizeof(T);
}

template <class T>
void clear_row(T* sum, int64_t length) {
    for (int64_t i = 0; i < length; i += lanes<T>) store(sum + i, all(T(0)));
}

template <class T>
void begin_rows(void* memory, std::size_t length) {
    auto& state = *static_cast<RowState*>(memory);
    state = {int64_t(length), padded_length<T>(length), 0, 0, 0};
    clear_row(state.sum<T>(0), state.padded);
}

/// sum += x[0] + … + x[count − 1], of columns i … i + N registers.
template <int N, class T>
GRADTAPE_INLINE void add_columns(T* sum, const T* x, int64_t count, int64_t length) {
    Row<T, N> total;
    for (int j = 0; j < N; ++j) total.at[j] = load(sum + j * lanes<T>);
    for (int64_t row = 0; row < count; ++row, x += length)
        for (int j = 0; j < N; ++j) total.at[j] = Sum::combine(total.at[j], load(x + j * lanes<T>));
    for (int j = 0; j < N; ++j) store(sum + j * lanes<T>, total.at[j]);
}

template <class T>
void add_block(T* sum, const T* x, int64_t count, int64_t length) {
    constexpr int width = lanes<T>, N = row_registers<T>;
    int64_t i = 0;
    for (; i + N * width <= length; i += N * width) add_columns<N>(sum + i, x + i, count, length);
    for (; i + width <= length; i += width) add_columns<1>(sum + i, x + i, count, length);
    if (i == length) return;
    Vec<T> total = load(sum + i);
    for (int64_t row = 0; row < count; ++row)
        total = Sum::combine(total, load_first(x + row * length + i, int(length - i), T(0)));
    store(sum + i, total);
}

/// sum = earlier + sum
template <class T>
void add_earlier(T* sum, const T* earlier, int64_t length) {
    for (int64_t i = 0; i < length; i += lanes<T>) store(sum + i, Sum::combine(load(earlier + i), load(sum + i)));
}

template <class T>
void add_rows(void* memory, const void* rows, std::size_t given) {
    auto& state = *static_cast<RowState*>(memory);
    const T* x = static_cast<const T*>(rows);
    T* const sum = state.sum<T>(0);
    for (auto count = int64_t(given); count > 0;) {
        const int64_t room = block_rows - state.rows, here = count < room ? count : room;
        add_block(sum, x, here, state.length);
        x += here * state.length;
        count -= here;
        state.rows += here;
        if (state.rows < block_rows) return;
        for (int64_t bit = state.blocks; bit & 1; bit >>= 1) add_earlier(sum, state.sum<T>(state.top--), state.padded);
        T* const pending = state.sum<T>(++state.top);
        for (int64_t i = 0; i < state.padded; i += lanes<T>) store(pending + i, load(sum + i));
        clear_row(sum, state.padded);
        ++state.blocks;
        state.rows = 0;
    }
}

template <class T>
void end_rows(void* memory, void* result) {
    auto& state = *static_cast<RowState*>(memory);
    T* const sum = state.sum<T>(0);
    while (state.top > 0) add_earlier(sum, state.sum<T>(state.top--), state.padded);
    std::memcpy(result, sum, std::size_t(state.length) * sizeof(T));
}

template <class T>
constexpr RowReduction row_stream{&row_state_bytes<T>, &begin_rows<T>, &add_rows<T>, &end_rows<T>};

}  // namespace

constinit const RowReduction row_sum_float = row_stream<float>;
constinit const RowReduction row_sum_double = row_stream<double>;
constinit const StreamReduction sum_stream_float = stream<float>;
constinit const StreamReduction sum_stream_double = stream<double>;

}  // namespace gradtape::detail::GRADTAPE_ISA
