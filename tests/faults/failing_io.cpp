// A library for LD_PRELOAD that makes a program's file operations fail, stop half-way, crawl or kill it. It counts
// operations on files below one folder, so that neither the loader's nor the terminal's are touched:
//   SPLITSIM_FAULT_UNDER   the folder; without it nothing is done
//   SPLITSIM_FAULT_AT      the operation, from 1, that is hit; 0: none
//   SPLITSIM_FAULT_ACTION  fail: it returns SPLITSIM_FAULT_ERRNO; kill, kill_after: the process gets SIGKILL before it
//                          (a write has done half of its bytes by then) or right after it
//   SPLITSIM_FAULT_STICKY  1: every operation from then on that could need space or a writable disk fails, too
//   SPLITSIM_FAULT_SHORT   1: writes do at most half of what is asked and are interrupted (EINTR) in between
//   SPLITSIM_FAULT_SLEEP   microseconds before every operation, and in the middle of every write
//   SPLITSIM_FAULT_COUNT   a file that gets the number of operations, at all times, and the name of the one hit
//   SPLITSIM_FAULT_READS   1: opens for reading and reads count and fail, instead of what writes
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

constexpr int kMostFiles = 4096;

struct Settings {
  const char* under = getenv("SPLITSIM_FAULT_UNDER");
  long at = number("SPLITSIM_FAULT_AT");
  const char* action = text("SPLITSIM_FAULT_ACTION");
  int error = static_cast<int>(number("SPLITSIM_FAULT_ERRNO"));
  bool sticky = number("SPLITSIM_FAULT_STICKY") != 0;
  bool short_writes = number("SPLITSIM_FAULT_SHORT") != 0;
  long sleep_us = number("SPLITSIM_FAULT_SLEEP");
  bool reads = number("SPLITSIM_FAULT_READS") != 0;

  static const char* text(const char* name) {
    const char* value = getenv(name);
    return value == nullptr ? "" : value;
  }
  static long number(const char* name) { return atol(text(name)); }
};

const Settings& settings() {
  static const Settings values;
  return values;
}

/// As it lies in the file SPLITSIM_FAULT_COUNT.
struct Report {
  std::atomic<long> operations;
  char hit[248];
};
Report unshared_report;
std::atomic<bool> watched[kMostFiles];  // descriptors of files below the folder

template <class Function>
Function original(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// It survives the process: a page of the file itself.
Report& report() {
  static Report* shared = []() -> Report* {
    const char* path = getenv("SPLITSIM_FAULT_COUNT");
    if (path == nullptr) return &unshared_report;
    const int fd = original<int (*)(const char*, int, ...)>("open")(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || original<int (*)(int, off_t)>("ftruncate")(fd, sizeof(Report)) != 0) return &unshared_report;
    void* page = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    original<int (*)(int)>("close")(fd);
    return page == MAP_FAILED ? &unshared_report : static_cast<Report*>(page);
  }();
  return *shared;
}

void rest() {
  if (settings().sleep_us <= 0) return;
  const timespec time = {settings().sleep_us / 1000000, settings().sleep_us % 1000000 * 1000};
  nanosleep(&time, nullptr);
}

[[noreturn]] void die() {
  raise(SIGKILL);
  abort();  // not reached
}

bool is(const char* action) { return strcmp(settings().action, action) == 0; }

bool below(const char* path) {
  return settings().under != nullptr && path != nullptr &&
         strncmp(path, settings().under, strlen(settings().under)) == 0;
}
bool is_watched(int fd) { return fd >= 0 && fd < kMostFiles && watched[fd].load(); }
void watch(int fd, bool on) {
  if (fd >= 0 && fd < kMostFiles) watched[fd].store(on);
}

enum class Hit { kNone, kFail, kKill, kKillAfter };

/// What an operation is, for the report and for disks that stay full.
struct Operation {
  const char* name;
  const char* path = nullptr;
  int fd = -1;
  bool needs_space = false;
};

void note(const Operation& operation) {
  char path[160] = "";
  if (operation.path != nullptr) {
    snprintf(path, sizeof path, "%s", operation.path);
  } else {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", operation.fd);
    const ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = 0;
  }
  snprintf(report().hit, sizeof report().hit, "%s %s", operation.name, path);
}

/// Counts an operation and says what becomes of it.
Hit hit(const Operation& operation) {
  const long now = ++report().operations;
  rest();
  if (settings().at == 0 || now < settings().at) return Hit::kNone;
  if (now == settings().at) note(operation);
  if (is("fail") && (now == settings().at || (settings().sticky && operation.needs_space))) {
    errno = settings().error;
    return Hit::kFail;
  }
  if (now != settings().at) return Hit::kNone;
  return is("kill") ? Hit::kKill : is("kill_after") ? Hit::kKillAfter : Hit::kNone;
}

/// An operation without a middle.
template <class Result, class Call>
Result whole(const Operation& operation, bool counts, Result failure, const Call& call) {
  if (!counts) return call();
  const Hit what = hit(operation);
  if (what == Hit::kFail) return failure;
  if (what == Hit::kKill) die();
  const Result result = call();
  if (what == Hit::kKillAfter) die();
  return result;
}

/// Opening a file counts if it is for the kind of faults that is asked for; every file below is watched.
template <class Result, class Call>
Result opening(const char* path, bool writes, Result failure, const Call& call) {
  return whole<Result>({"open", path, -1, true}, below(path) && writes != settings().reads, failure, call);
}

template <class Call>
ssize_t writing(int fd, size_t bytes, const Call& call) {
  static std::atomic<unsigned> interruptions{0};
  const bool counts = is_watched(fd) && !settings().reads;
  if (!counts) return call(bytes);
  const Hit what = hit({"write", nullptr, fd, true});
  if (what == Hit::kFail) return -1;
  if (what == Hit::kKill) {
    if (bytes > 1) call(bytes / 2);
    die();
  }
  if (settings().short_writes && bytes > 1) {
    if (++interruptions % 2 == 0) {
      errno = EINTR;
      return -1;
    }
    return call(bytes / 2);
  }
  ssize_t done = 0;
  if (settings().sleep_us > 0 && bytes > 1) {
    done = call(bytes / 2);
    rest();
    return done;  // the rest comes with the caller's next call
  }
  done = call(bytes);
  if (what == Hit::kKillAfter) die();
  return done;
}

int opened(const char* path, int fd) {
  if (fd >= 0) watch(fd, below(path));
  return fd;
}

mode_t mode_of(int flags, va_list rest) { return (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0; }

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0; }

// As on Linux, the descriptor is gone whatever close returns.
template <class Call>
int closing(int fd, int failure, const Call& call) {
  const bool counts = is_watched(fd) && !settings().reads;
  watch(fd, false);
  if (!counts) return call();
  const Hit what = hit({"close", nullptr, fd});
  if (what == Hit::kKill) die();
  const int result = call();
  if (what == Hit::kKillAfter) die();
  if (what == Hit::kFail) errno = settings().error;
  return what == Hit::kFail ? failure : result;
}

}  // namespace

extern "C" {

#define SPLITSIM_OPEN(NAME)                                                                         \
  int NAME(const char* path, int flags, ...) {                                                      \
    va_list rest;                                                                                   \
    va_start(rest, flags);                                                                          \
    const mode_t mode = mode_of(flags, rest);                                                       \
    va_end(rest);                                                                                   \
    static const auto call = original<int (*)(const char*, int, ...)>(#NAME);                       \
    return opened(path, opening(path, writes(flags), -1, [&] { return call(path, flags, mode); })); \
  }
SPLITSIM_OPEN(open)
SPLITSIM_OPEN(open64)

#define SPLITSIM_OPENAT(NAME)                                                                         \
  int NAME(int folder, const char* path, int flags, ...) {                                            \
    va_list rest;                                                                                     \
    va_start(rest, flags);                                                                            \
    const mode_t mode = mode_of(flags, rest);                                                         \
    va_end(rest);                                                                                     \
    static const auto call = original<int (*)(int, const char*, int, ...)>(#NAME);                    \
    const int fd = opening(path, writes(flags), -1, [&] { return call(folder, path, flags, mode); }); \
    if (fd >= 0) watch(fd, below(path) || (path[0] != '/' && is_watched(folder)));                    \
    return fd;                                                                                        \
  }
SPLITSIM_OPENAT(openat)
SPLITSIM_OPENAT(openat64)

#define SPLITSIM_FOPEN(NAME)                                                                      \
  FILE* NAME(const char* path, const char* mode) {                                                \
    static const auto call = original<FILE* (*)(const char*, const char*)>(#NAME);                \
    FILE* file = opening<FILE*>(path, mode[0] != 'r', nullptr, [&] { return call(path, mode); }); \
    if (file != nullptr) watch(fileno(file), below(path));                                        \
    return file;                                                                                  \
  }
SPLITSIM_FOPEN(fopen)
SPLITSIM_FOPEN(fopen64)

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto call = original<ssize_t (*)(int, const void*, size_t)>("write");
  return writing(fd, size, [&](size_t some) { return call(fd, bytes, some); });
}

#define SPLITSIM_PWRITE(NAME)                                                               \
  ssize_t NAME(int fd, const void* bytes, size_t size, off_t at) {                          \
    static const auto call = original<ssize_t (*)(int, const void*, size_t, off_t)>(#NAME); \
    return writing(fd, size, [&](size_t some) { return call(fd, bytes, some, at); });       \
  }
SPLITSIM_PWRITE(pwrite)
SPLITSIM_PWRITE(pwrite64)

ssize_t writev(int fd, const iovec* pieces, int number) {
  static const auto call = original<ssize_t (*)(int, const iovec*, int)>("writev");
  static const auto call_one = original<ssize_t (*)(int, const void*, size_t)>("write");
  size_t size = 0;
  for (int i = 0; i < number; ++i) size += pieces[i].iov_len;
  return writing(fd, size, [&](size_t some) {
    if (some == size) return call(fd, pieces, number);
    // A part: of the first piece that is not empty, which is allowed to be all that a call does.
    int first = 0;
    while (pieces[first].iov_len == 0) ++first;
    return call_one(fd, pieces[first].iov_base, some < pieces[first].iov_len ? some : pieces[first].iov_len);
  });
}

ssize_t read(int fd, void* bytes, size_t size) {
  static const auto call = original<ssize_t (*)(int, void*, size_t)>("read");
  return whole<ssize_t>({"read", nullptr, fd}, settings().reads && is_watched(fd), -1,
                        [&] { return call(fd, bytes, size); });
}

int fsync(int fd) {
  static const auto call = original<int (*)(int)>("fsync");
  return whole({"fsync", nullptr, fd, true}, is_watched(fd) && !settings().reads, -1, [&] { return call(fd); });
}

int fdatasync(int fd) {
  static const auto call = original<int (*)(int)>("fdatasync");
  return whole({"fdatasync", nullptr, fd, true}, is_watched(fd) && !settings().reads, -1, [&] { return call(fd); });
}

int ftruncate(int fd, off_t size) {
  static const auto call = original<int (*)(int, off_t)>("ftruncate");
  return whole({"ftruncate", nullptr, fd, true}, is_watched(fd) && !settings().reads, -1,
               [&] { return call(fd, size); });
}

int close(int fd) {
  static const auto call = original<int (*)(int)>("close");
  return closing(fd, -1, [&] { return call(fd); });
}

int fclose(FILE* file) {
  static const auto call = original<int (*)(FILE*)>("fclose");
  return closing(fileno(file), EOF, [&] { return call(file); });
}

// A folder's descriptor is somebody else's afterwards, too.
int closedir(DIR* folder) {
  static const auto call = original<int (*)(DIR*)>("closedir");
  watch(dirfd(folder), false);
  return call(folder);
}

int rename(const char* from, const char* to) {
  static const auto call = original<int (*)(const char*, const char*)>("rename");
  return whole({"rename", from}, (below(from) || below(to)) && !settings().reads, -1, [&] { return call(from, to); });
}

int mkdir(const char* path, mode_t mode) {
  static const auto call = original<int (*)(const char*, mode_t)>("mkdir");
  return whole({"mkdir", path, -1, true}, below(path) && !settings().reads, -1, [&] { return call(path, mode); });
}

int truncate(const char* path, off_t size) {
  static const auto call = original<int (*)(const char*, off_t)>("truncate");
  return whole({"truncate", path}, below(path) && !settings().reads, -1, [&] { return call(path, size); });
}

// Removing what is not there is no operation: it could not fail for want of space.
#define SPLITSIM_REMOVE(NAME)                                                                    \
  int NAME(const char* path) {                                                                   \
    static const auto call = original<int (*)(const char*)>(#NAME);                              \
    return whole({#NAME, path}, below(path) && !settings().reads && access(path, F_OK) == 0, -1, \
                 [&] { return call(path); });                                                    \
  }
SPLITSIM_REMOVE(unlink)
SPLITSIM_REMOVE(rmdir)
SPLITSIM_REMOVE(remove)

int unlinkat(int folder, const char* path, int flags) {
  static const auto call = original<int (*)(int, const char*, int)>("unlinkat");
  const bool counts = (below(path) || (path[0] != '/' && is_watched(folder))) && !settings().reads;
  return whole({"unlinkat", path}, counts && faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0, -1,
               [&] { return call(folder, path, flags); });
}

}  // extern "C"
