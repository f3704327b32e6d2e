// The process that started this one.
#pragma once

namespace qwen3_embed {

// Linux: the kernel kills this process when its parent ends, however that comes and whatever this
// one is at (stopped, hanging). Elsewhere it has to notice by itself.
void end_with_parent();

}  // namespace qwen3_embed
