// What a Tape is inside: instructions, and the value of each, computed as it is recorded.
#pragma once

#include "../execute/execute.hpp"
#include "../kernels/kernels.hpp"
#include "../primitives/catalogue.hpp"
#include "../support/arena.hpp"

#include <array>
#include <atomic>

namespace gradtape::detail {

/// A recorder is never given back to the system but waits, empty, for the next tape: so a node may always ask its recorder
/// whether the node's recording is still there.
class Recorder {
    /// Where a recording has come to.
    struct Mark {
        std::size_t size;
        Arena::Mark room;
        std::uint64_t handed_out;
    };

public:
    static Recorder* make(bool abstract);
    /// The end of a tape. Where an operation is at work on the recorder, it ends with that.
    static void retire(Recorder* recorder) noexcept;
    Recorder(const Recorder&) = delete;

    /// The recorder of `node`, checked: TapeError for a default-made or stale node.
    static Recorder& of(const Node& node, const char* asker, Where where) {
        if (!is_current(node)) [[unlikely]] refuse_stale(node, asker, where);
        return *node.recorder_;
    }
    static bool is_current(const Node& node) noexcept {
        return node.recorder_ && node.generation_ == node.recorder_->generation() &&
               node.index_ < node.recorder_->instructions_.size();
    }
    static Recorder* owner(const Node& node) noexcept { return node.recorder_; }
    static RecordingId recording(const Node& node) noexcept { return {node.recorder_, node.generation_}; }
    RecordingId recording() const noexcept { return {this, generation()}; }
    static bool same_recording(const Node& a, const Node& b) noexcept {
        return a.recorder_ == b.recorder_ && a.generation_ == b.generation_;
    }
    /// TapeError for a tape that was moved from, or is at work.
    static Recorder& in(const Tape& tape, Where where = {}) {
        if (!tape.recorder_) [[unlikely]] throw TapeError("this tape was moved from", {"tape", {}, {}, where});
        if (tape.recorder_->generation() & closed) [[unlikely]] tape.recorder_->refuse_closed("tape", where);
        return *tape.recorder_;
    }

    Node node(Index index) noexcept { return {this, index, generation()}; }
    std::span<const Instruction> instructions() const noexcept { return instructions_; }
    const Instruction& at(Index index) const noexcept { return instructions_[index]; }
    std::size_t size() const noexcept { return instructions_.size(); }

    /// Whether a body is being recorded: nodes of the tape around it are refused as such.
    void is_body(bool yes) noexcept { body_ = yes; }
    /// TapeError for nodes of two tapes.
    [[noreturn]] static void refuse_mixed(const Node& a, const Node& b, const char* asker, Where where);

    Node leaf(Op kind, const Tensor& value, Where where);
    Node leaf(Op kind, const Type& type, Where where);
    bool is_abstract() const noexcept { return abstract_; }
    /// The constant of `type` with every element `value`; asked for again, often the same node.
    Node number(const Type& type, double value, Where where);
    /// The same for a number that the dtype may not hold (DTypeError in the name of `asker`), or no double is.
    Node full(const char* asker, const Type& type, Number value, Where where);
    Node record(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                const Where& where);
    Node record(const Primitive& primitive, std::initializer_list<Index> operands, const Attributes& attributes,
                const Where& where) {
        return record(primitive, std::span(operands.begin(), operands.size()), attributes, where);
    }
    /// The same for a primitive that may be anybody's: its rule and its kernel may not use the tape, and what they give is
    /// checked.
    Node record_own(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                    const Where& where);

    /// All results of an instruction, of which `first` is the first.
    std::vector<Node> results(Index first);

    /// True for a constant leaf, and for one that was only broadcast.
    bool is_constant(Index index) const noexcept;
    /// TapeError where there is none, at `where`; or at the line that recorded it.
    Tensor value(Index index, Where where = {});
    bool has_value(Index index) const noexcept { return !abstract_ || leaf_value(index); }
    /// The tensor of a leaf; null for a repeated number and for other instructions.
    const Tensor* leaf_value(Index index) const noexcept;

    /// All or nothing: unless `keep` is called, what was recorded while it lived is taken back. And while it lives, the
    /// recorder is not emptied.
    class Attempt {
    public:
        explicit Attempt(Recorder& recorder) noexcept : recorder_(recorder), mark_(recorder.mark()) { ++recorder.at_work_; }
        ~Attempt() {
            if (!kept_) [[unlikely]] recorder_.take_back(mark_);
            if (--recorder_.at_work_ == 0 && recorder_.abandoned_) [[unlikely]] retire(&recorder_);
        }
        Attempt(const Attempt&) = delete;
        void keep() noexcept { kept_ = true; }
        Node keep(Node z) noexcept {
            kept_ = true;
            return z;
        }

    private:
        Recorder& recorder_;
        const Mark mark_;
        bool kept_ = false;
    };
    /// TapeError where a rule of `primitive`'s has ended the tape that it recorded on.
    void check_not_abandoned(const char* primitive, Where where) const {
        if (abandoned_) [[unlikely]]
            throw TapeError("a rule destroyed the tape that it records on", {primitive, {}, {}, where});
    }

    /// TapeError where an operation is at work.
    void clear(Where where = {});
    /// Whether there is a number for the recording after this one.
    bool can_clear() const noexcept { return recordings_ < closed - 1; }
    std::size_t bytes() const noexcept { return arena_.bytes(); }

    /// While on, every number read by Node::item is guarded: replay will check that it is still the same.
    void guard_reads(bool on) noexcept { guards_ = on; }
    bool guards_reads() const noexcept { return guards_; }
    /// TapeError where reads are guarded and the value is no constant: no guard stands for a tensor.
    void check_unguarded(Index index, Where where) const;
    /// The element of a node with one element, for control flow.
    double read(Index index, Where where);

    /// Scratch of the transforms: a set of instructions (Briggs and Torczon 1993), in which an entry of `places` counts only
    /// where the found one there names it. So nothing is cleared between calls, and a derivative that is short costs little
    /// on a long tape.
    struct Search {
        struct Found {
            Index index;
            bool wanted = false;
        };
        std::vector<Index> places;  ///< by instruction
        std::vector<Found> found;

        Found* find(Index i) noexcept {
            if (i >= places.size() || places[i] >= found.size()) return nullptr;
            return found[places[i]].index == i ? &found[places[i]] : nullptr;
        }
        void add(Index first, Index i) {
            if (i < first || find(i)) return;
            places[i] = Index(found.size());
            found.push_back({i});
        }
    };
    /// Empty, with a place for each of the first `size` instructions. A rule that differentiates takes one of its own.
    Search take_search(std::size_t size) {
        Search search = std::move(search_);
        search.found.clear();
        if (search.places.size() < size) search.places.resize(size);
        return search;
    }
    void put_back(Search&& search) noexcept { search_ = std::move(search); }

    /// While set, what is recorded is said to come from this line: rules speak for the instruction they differentiate.
    class Origin {
    public:
        explicit Origin(Recorder& recorder) : recorder_(recorder), before_(recorder.origin_) {}
        ~Origin() { recorder_.origin_ = before_; }
        Origin(const Origin&) = delete;
        void set(Where where) noexcept { recorder_.origin_ = where; }

    private:
        Recorder& recorder_;
        Where before_;
    };

private:
    Recorder() = default;
    [[noreturn]] static void refuse_stale(const Node& node, const char* asker, Where where);
    [[noreturn]] void refuse_closed(const char* asker, Where where) const;

    Mark mark() const noexcept { return {values_.size(), arena_.mark(), handed_out_}; }
    void take_back(const Mark& mark) noexcept;
    void empty() noexcept;

    /// While it lives no node is current: a rule or a kernel of somebody's is running.
    class Closed;
    struct Pool;
    static Pool& pool();

    /// A value's place, and who owns the memory: a chunk of the arena, or a leaf's tensor (~index into leaves_).
    struct Value : Storage {
        std::int32_t owner = 0;
    };
    struct Leaf {
        Index index;
        Tensor value;
    };
    struct KnownNumber {
        Type type;
        std::uint64_t bits = 0;
        Index index = 0;
        std::uint32_t generation = 0;  ///< 0: none
        Attributes attributes;
    };

    std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_relaxed); }
    void set_generation(std::uint32_t generation) noexcept { generation_.store(generation, std::memory_order_relaxed); }
    Type infer(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
               const Where& where);
    void check_elementwise(const Primitive& primitive, std::span<const Index> operands, Where where) const;
    [[noreturn]] void refuse_elementwise(const Primitive& primitive, std::span<const Index> operands, Where where) const;
    std::vector<Type> infer_further(const Primitive& primitive, const Attributes& attributes, const Type& first,
                                    const Where& where) const;
    Node record_results(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                        const Type& type, const Where& where);
    std::vector<Value> compute_results(const Primitive& primitive, std::span<const Index> operands,
                                       const Attributes& attributes, std::span<const Type> types);
    Node append_results(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                        std::span<const Type> types, const Where& where, std::span<const Value> values);
    Node append(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                const Type& type, const Where& where, const Value& value);
    void compute(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                 const Type& type, Value& z);
    void compute_elementwise(const Primitive& primitive, std::span<const Index> operands, const Type& type, Value& z);
    void compute_whole(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                       const Type& type, Value& z);
    Value allocate(std::size_t bytes);
    void materialise(Index index);

    using KnownNumbers = std::array<KnownNumber, 32>;
    static constexpr std::uint32_t closed = std::uint32_t(1) << 31;  // set in the generation: no node is current

    std::vector<Instruction> instructions_;
    std::vector<Value> values_;
    std::vector<Leaf> leaves_;
    std::unique_ptr<KnownNumbers> numbers_;
    std::vector<const Type*> types_;       // scratch of infer
    std::vector<KernelCall::In> inputs_;   // scratch of compute_whole
    Search search_;
    const KernelTable kernels_ = kernel_table();
    Arena arena_;
    std::atomic<std::uint32_t> generation_{0};       // read by nodes that outlived their tape: on any thread
    std::uint32_t recordings_ = 0;                   // so far, of all tapes that had this recorder
    std::uint64_t handed_out_ = 0;  // counts tensors taken out, and older values that have moved to new memory
    std::uint32_t at_work_ = 0;     // attempts that are alive
    bool abandoned_ = false;        // the tape has ended; the last attempt retires the recorder
    const char* closed_by_ = "";
    Recorder* next_ = nullptr;      // in the pool
    Where origin_;
    bool guards_ = false;
    bool abstract_ = false;
    bool body_ = false;
};

/// The node of an operand that can be nothing else, in a recording that goes on; TapeError otherwise.
Node node_of(const Operand& x, const char* name);

/// Records `op`, first making numbers into constants and broadcasting operands where the primitive says so.
Node bind(Op op, std::initializer_list<Operand> operands, const Attributes& attributes = {});

}  // namespace gradtape::detail
