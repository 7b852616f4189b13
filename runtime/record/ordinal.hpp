// An epoch or a step as a field of a record: counted from 0 in memory, from 1 wherever a user sees it.
#pragma once

namespace splitsim {

template <class T>
struct Ordinal {
  T& value;
};

template <class T>
Ordinal<T> ordinal(T& value) {
  return {value};
}

}  // namespace splitsim
