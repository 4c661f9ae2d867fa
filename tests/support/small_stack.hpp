// Work on a thread with a stack of 256 KiB: recursion over a long program would overflow it.
#pragma once

#include <pthread.h>

#include <functional>
#include <stdexcept>

namespace gradtape::test {

inline void on_a_small_stack(const std::function<void()>& work) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    pthread_t thread;
    const auto enter = [](void* argument) -> void* {
        (*static_cast<const std::function<void()>*>(argument))();
        return nullptr;
    };
    const int failed = pthread_create(&thread, &attributes, enter, const_cast<std::function<void()>*>(&work));
    pthread_attr_destroy(&attributes);
    if (failed) throw std::runtime_error("no thread with a small stack");
    pthread_join(thread, nullptr);
}

}  // namespace gradtape::test
