/*
 * Stops a process at a chosen durable step. Preloaded, it counts the calls that change what is on disk and kills the process
 * with SIGKILL just before or just after the one that CRASH_AT names.
 *
 *   CRASH_ARM    a path: counting begins when something exists there. Unset: from the first call on.
 *   CRASH_AT     the number of the call, from 1; unset or 0 kills nobody.
 *   CRASH_WHEN   `before` (the default) or `after` the call.
 *   CRASH_LOG    a file to which each counted call is appended: its number and its name.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int armed;
static atomic_long calls;

static long crash_at(void) {
  const char *number = getenv("CRASH_AT");
  return number == NULL ? 0 : strtol(number, NULL, 10);
}

static int crash_after(void) {
  const char *when = getenv("CRASH_WHEN");
  return when != NULL && strcmp(when, "after") == 0;
}

static int is_armed(void) {
  if (atomic_load(&armed)) {
    return 1;
  }
  const char *trigger = getenv("CRASH_ARM");
  if (trigger != NULL && access(trigger, F_OK) != 0) {
    return 0;
  }
  atomic_store(&armed, 1);
  return 1;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) {
    pause();
  }
}

/* One line, one write: threads and processes may share the file. */
static void note(long number, const char *name) {
  const char *path = getenv("CRASH_LOG");
  if (path == NULL) {
    return;
  }
  int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return;
  }
  char line[64];
  int length = snprintf(line, sizeof line, "%ld %s\n", number, name);
  if (length > 0 && write(file, line, (size_t)length) < 0) {
    /* The test sees a missing line. */
  }
  close(file);
}

/* The call's number, or 0 when it is not counted. Does not return when the process dies before this call. */
static long enter(const char *name) {
  int saved = errno;
  if (!is_armed()) {
    errno = saved;
    return 0;
  }
  long number = atomic_fetch_add(&calls, 1) + 1;
  note(number, name);
  if (number == crash_at() && !crash_after()) {
    die();
  }
  errno = saved;
  return number;
}

static void leave(long number) {
  if (number != 0 && number == crash_at() && crash_after()) {
    die();
  }
}

#define STEP(name, parameters, arguments)                                  \
  int name parameters {                                                    \
    static int(*real) parameters;                                          \
    if (real == NULL) {                                                    \
      *(void **)&real = dlsym(RTLD_NEXT, #name);                           \
    }                                                                      \
    long number = enter(#name);                                            \
    int result = real arguments;                                           \
    int saved = errno;                                                     \
    leave(number);                                                         \
    errno = saved;                                                         \
    return result;                                                         \
  }

STEP(fsync, (int file), (file))
STEP(fdatasync, (int file), (file))
STEP(rename, (const char *from, const char *to), (from, to))
STEP(renameat, (int from_dir, const char *from, int to_dir, const char *to), (from_dir, from, to_dir, to))
STEP(renameat2, (int from_dir, const char *from, int to_dir, const char *to, unsigned flags),
     (from_dir, from, to_dir, to, flags))
STEP(link, (const char *from, const char *to), (from, to))
STEP(linkat, (int from_dir, const char *from, int to_dir, const char *to, int flags), (from_dir, from, to_dir, to, flags))
STEP(unlink, (const char *path), (path))
STEP(unlinkat, (int directory, const char *path, int flags), (directory, path, flags))
STEP(symlink, (const char *target, const char *path), (target, path))
STEP(symlinkat, (const char *target, int directory, const char *path), (target, directory, path))
STEP(mkdir, (const char *path, mode_t mode), (path, mode))
STEP(mkdirat, (int directory, const char *path, mode_t mode), (directory, path, mode))
