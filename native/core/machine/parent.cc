#include "core/machine/parent.h"

#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

namespace qwen3_embed {

void end_with_parent() {
#ifdef __linux__
  static_cast<void>(prctl(PR_SET_PDEATHSIG, SIGKILL));
#endif
}

}  // namespace qwen3_embed
