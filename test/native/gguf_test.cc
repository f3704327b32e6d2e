// Each kind of damage to a GGUF file, and the failure it must end in.
#include "check.h"
#include "core/failure.h"
#include "core/file/gguf_file.h"
#include "core/file/gguf_reader.h"
#include "tiny_models.h"

namespace {

using namespace qwen3_embed;
using namespace gguf_builder;

const Folder folder;

// What opening `path` fails with; empty if it succeeds.
std::string failure_of(const std::string& path, std::string* message = nullptr) {
  try {
    const Gguf file(path);
    return "";
  } catch (const Failure& failure) {
    if (message != nullptr) *message = failure.sentence();
    CHECK(!failure.facts.empty() && failure.facts.front().first == "path");
    return code_name(failure.code);
  }
}

void expect(const std::string& bytes, const std::string& code, const std::string& words, int line) {
  std::string message;
  const std::string came = failure_of(folder.write("damaged.gguf", bytes), &message);
  check::report(came == code, "failure code", __FILE__, line, came + " " + message);
  check::report(message.find(words) != std::string::npos, "failure message", __FILE__, line,
                message);
}
void expect(const Builder& file, const std::string& code, const std::string& words, int line) {
  expect(file.build(), code, words, line);
}
#define INVALID(file, words) expect(file, "ERR_MODEL_INVALID", words, __LINE__)
#define UNSUPPORTED(file, words) expect(file, "ERR_MODEL_UNSUPPORTED", words, __LINE__)

Builder small() {
  Builder file;
  file.text("general.architecture", "qwen3");
  file.u32("a.u32", 7);
  file.f32("a.f32", 0.5F);
  file.boolean("a.bool", 1);
  file.texts("a.texts", {"one", "", "three"});
  file.array<int32_t>("a.i32s", GGUF_TYPE_INT32, {-1, 2});
  file.add("first", {32, 2});
  file.add("second", {32}, GGML_TYPE_Q8_0);
  file.add("third", {3, 5});
  return file;
}

std::string with(std::string bytes, size_t at, const std::string& field) {
  return bytes.replace(at, field.size(), field);
}
std::string u64(uint64_t value) {
  std::string bytes;
  append(bytes, value);
  return bytes;
}
std::string u32(uint32_t value) {
  std::string bytes;
  append(bytes, value);
  return bytes;
}

void test_values() {
  const Gguf file(folder.write("small.gguf", small().build()));
  CHECK(file.text("general.architecture") == "qwen3");
  CHECK(file.integer("a.u32") == 7 && !file.integer("a.f32") && !file.integer("a.bool") &&
        !file.integer("absent"));
  CHECK(file.real("a.f32") == 0.5 && !file.real("a.u32"));
  CHECK(file.boolean("a.bool") == true && !file.boolean("a.u32"));
  CHECK(file.n_items("a.texts") == 3 && file.n_items("a.u32") == 0);
  CHECK((file.texts("a.texts") == std::vector<std::string>{"one", "", "three"}));
  CHECK((file.views("a.texts") == std::vector<std::string_view>{"one", "", "three"}) &&
        !file.views("a.i32s"));
  CHECK((file.integers("a.i32s") == std::vector<int64_t>{-1, 2}) && !file.integers("a.texts"));
  CHECK(file.type_of("a.texts") == GGUF_TYPE_ARRAY &&
        file.item_type_of("a.texts") == GGUF_TYPE_STRING);
  CHECK(file.keys().size() == 6 && file.keys().front() == "general.architecture");
  CHECK(file.tensors().size() == 3 && file.paths().size() == 1);
  const GgufTensor* second = file.tensor("second");
  CHECK(second != nullptr && second->bytes == 34 && second->shape[0] == 32 &&
        second->shape[3] == 1);
  CHECK(second->offset == file.tensor("first")->offset + 256 && second->offset % 32 == 0);
  CHECK(file.tensor("third")->offset == second->offset + 64 && file.tensor("third")->bytes == 60);
  CHECK(file.tensor("absent") == nullptr);
  CHECK(file.file_bytes() == small().build().size());
}

void test_integers() {
  Builder file = small();
  file.scalar<uint64_t>("huge", GGUF_TYPE_UINT64, UINT64_MAX);
  file.scalar<int8_t>("small", GGUF_TYPE_INT8, -3);
  file.scalar<double>("double", GGUF_TYPE_FLOAT64, 1e300);
  file.array<float>("floats", GGUF_TYPE_FLOAT32, {1, 2});
  const Gguf gguf(folder.write("integers.gguf", file.build()));
  CHECK(gguf.integer("huge") == INT64_MAX && gguf.integer("small") == -3 &&
        gguf.real("double") == 1e300);
  CHECK((gguf.reals("floats") == std::vector<double>{1, 2}) && !gguf.integers("floats"));
}

void test_fingerprint() {
  const auto of = [](const std::string& bytes) {
    return Gguf(folder.write("print.gguf", bytes)).fingerprint();
  };
  const std::string good = small().build();
  CHECK(of(good).size() == 32 && of(good) == of(good));
  Builder other = small();
  other.u32("a.u32", 8);
  CHECK(of(other.build()) != of(good));
  std::string longer = good + std::string(32, '\0');
  CHECK(of(longer) != of(good));
  std::string weights = good;
  weights[good.size() - 150] ^= 1;
  CHECK(of(weights) != of(good));
}

void test_not_found() {
  CHECK(failure_of(folder.path() + "/absent.gguf") == "ERR_MODEL_NOT_FOUND");
  CHECK(failure_of(folder.path()) == "ERR_MODEL_NOT_FOUND");
  CHECK(failure_of("") == "ERR_MODEL_NOT_FOUND");
  CHECK(failure_of(std::string("a\0b", 3)) == "ERR_MODEL_NOT_FOUND");
  std::string message;
  failure_of(folder.path(), &message);
  CHECK(message.find("directory") != std::string::npos);
}

void test_header() {
  const std::string good = small().build();
  CHECK(failure_of(folder.write("caf\xc3\xa9.gguf", good)).empty());
  INVALID("", "empty");
  INVALID("GG", "ends inside");
  INVALID("version https://git-lfs.github.com/spec/v1", "Git LFS");
  INVALID("<!DOCTYPE html><html></html>", "web page");
  INVALID(with(good, 0, "GGML"), "\"GGML\"");
  INVALID("GGUF", "version");
  UNSUPPORTED(with(good, 4, u32(1)), "version 1");
  UNSUPPORTED(with(good, 4, u32(4)), "version 4");
  UNSUPPORTED(with(good, 4, std::string("\0\0\0\3", 4)), "big-endian");
  CHECK(failure_of(folder.write("v2.gguf", with(good, 4, u32(2)))).empty());
  for (uint64_t n : {uint64_t{100000}, uint64_t{1} << 60, UINT64_MAX}) {
    INVALID(with(good, 8, u64(n)), "number of tensors");
    INVALID(with(good, 16, u64(n)), "number of metadata keys");
  }
  INVALID(with(good, 24, u64(uint64_t{1} << 60)), "a metadata key");
  INVALID(with(good, 24, u64(0)), "Expected");
}

void test_every_truncation() {
  const std::string good = small().build();
  const size_t last = good.size() - 4;  // the padding behind the last tensor may be missing
  int n_refused = 0;
  for (size_t n = 0; n < last; n++) {
    n_refused += failure_of(folder.write("cut.gguf", good.substr(0, n))) == "ERR_MODEL_INVALID";
  }
  CHECK(n_refused == static_cast<int>(last));
  CHECK(failure_of(folder.write("cut.gguf", good.substr(0, last))).empty());
}

void test_values_damaged() {
  Builder file = small();
  file.values.push_back(file.values[1]);
  INVALID(file, "comes twice");
  file = small();
  file.u32("", 1);
  INVALID(file, "name");
  file = small();
  file.u32(std::string("a\0b", 3), 1);
  INVALID(file, "printable");
  file = small();
  file.u32(std::string(65536, 'k'), 1);
  INVALID(file, "65535");
  file = small();
  file.boolean("a.bool", 2);
  INVALID(file, "boolean");
  file = small();
  file.array<uint8_t>("bools", GGUF_TYPE_BOOL, {0, 1, 7});
  INVALID(file, "boolean");
  file = small();
  file.set("bad", 13, "");
  INVALID(file, "value type");
  file = small();
  file.set("nested", GGUF_TYPE_ARRAY, u32(GGUF_TYPE_ARRAY) + u64(0));
  INVALID(file, "array in an array");
  for (uint32_t type : {GGUF_TYPE_UINT8, GGUF_TYPE_STRING, GGUF_TYPE_FLOAT64}) {
    file = small();
    file.set("long", GGUF_TYPE_ARRAY, u32(type) + u64(uint64_t{1} << 60));
    INVALID(file, "claims");
  }
  file = small();
  file.set("text", GGUF_TYPE_STRING, u64(uint64_t{1} << 60));
  INVALID(file, "a string");
  for (uint32_t alignment : {0U, 3U, 8U, 16U, 33U, 1U << 30}) {
    file = small();
    file.u32("general.alignment", alignment);
    INVALID(file, "power of two");
  }
  file = small();
  file.i32("general.alignment", 32);
  INVALID(file, "power of two");
  file = small();
  file.alignment = 128;
  INVALID(file, "offset");
  file.u32("general.alignment", 128);
  CHECK(failure_of(folder.write("aligned.gguf", file.build())).empty());
}

void test_tensors_damaged() {
  const auto changed = [](const std::string& name, int32_t type, std::vector<int64_t> shape) {
    Builder file = small();
    file.tensors[1] = {name, std::move(shape), type};
    return file;
  };
  INVALID(changed("first", 0, {32}), "comes twice");
  INVALID(changed("", 0, {32}), "name");
  INVALID(changed(std::string(64, 'n'), 0, {32}), "63");
  CHECK(failure_of(folder.write("name.gguf", changed(std::string(63, 'n'), 0, {32}).build()))
            .empty());
  INVALID(changed("t\n", 0, {32}), "printable");
  INVALID(changed("t", 0, {}), "1 to 4 dimensions");
  INVALID(changed("t", 0, {1, 1, 1, 1, 1}), "1 to 4 dimensions");
  INVALID(changed("t", 0, {0}), "positive");
  INVALID(changed("t", 0, {32, -1}), "positive");
  INVALID(changed("t", 0, {INT64_MAX, 2}), "64 bits");
  INVALID(changed("t", 0, {int64_t{1} << 31, int64_t{1} << 31, 2}), "64 bits");
  INVALID(changed("t", 0, {int64_t{1} << 61}), "64 bits");
  INVALID(changed("t", 0, {int64_t{1} << 40}), "cut short");
  INVALID(changed("t", GGML_TYPE_Q8_0, {33}), "whole blocks");
  for (int32_t type : {-1, 4, 5, 31, 36, 43, 1000, INT32_MAX})
    INVALID(changed("t", type, {32}), "tensor type");

  const std::string good = small().build();
  const size_t offset = good.find("second") + 6 + 4 + 8 + 4;
  for (uint64_t value : {uint64_t{0}, uint64_t{257}, uint64_t{288}, UINT64_MAX}) {
    INVALID(with(good, offset, u64(value)), "at offset");
  }
}

Builder part(int number, int n_parts) {
  Builder file;
  file.u16("split.no", static_cast<uint16_t>(number));
  file.u16("split.count", static_cast<uint16_t>(n_parts));
  file.i32("split.tensors.count", n_parts);
  file.add("tensor " + std::to_string(number), {32, 3});
  return file;
}

void test_split() {
  const std::string first = folder.write("split-00001-of-00003.gguf", part(0, 3).build());
  std::string message;
  CHECK(failure_of(first, &message) == "ERR_MODEL_NOT_FOUND");
  CHECK(message.find("split-00002-of-00003.gguf") != std::string::npos);
  const std::string second = folder.write("split-00002-of-00003.gguf", part(1, 3).build());
  folder.write("split-00003-of-00003.gguf", part(2, 3).build());
  {
    const Gguf file(first);
    CHECK(file.paths().size() == 3 && file.tensors().size() == 3 &&
          file.tensor("tensor 2")->part == 2);
    CHECK(file.file_bytes() == 3 * part(0, 3).build().size());
  }
  CHECK(failure_of(second, &message) == "ERR_MODEL_INVALID" &&
        message.find("part 1") != std::string::npos);
  CHECK(failure_of(folder.write("renamed.gguf", part(0, 3).build()), &message) ==
        "ERR_MODEL_INVALID");
  CHECK(message.find("Keep the names") != std::string::npos);

  folder.write("split-00003-of-00003.gguf", part(1, 3).build());
  CHECK(failure_of(first) == "ERR_MODEL_INVALID");
  Builder again = part(2, 3);
  again.tensors[0].name = "tensor 0";
  folder.write("split-00003-of-00003.gguf", again.build());
  CHECK(failure_of(first, &message) == "ERR_MODEL_INVALID" &&
        message.find("twice") != std::string::npos);
  Builder more = part(2, 3);
  more.add("one more", {32});
  folder.write("split-00003-of-00003.gguf", more.build());
  CHECK(failure_of(first, &message) == "ERR_MODEL_INVALID" &&
        message.find("belong together") != std::string::npos);
  Builder untyped = part(2, 3);
  untyped.u32("split.no", 2);
  folder.write("split-00003-of-00003.gguf", untyped.build());
  CHECK(failure_of(first, &message) == "ERR_MODEL_INVALID" &&
        message.find("u16") != std::string::npos);
}

void test_codes() {
  CHECK(std::string(code_name(Code::model_not_found)) == "ERR_MODEL_NOT_FOUND");
  CHECK(std::string(code_name(Code::aborted)) == "ERR_ABORTED");
  CHECK(in_quotes("a\n\"b") == "\"a?\"b\"" && in_quotes(std::string(100, 'x')).size() == 65);
}

}  // namespace

int main() {
  test_values();
  test_integers();
  test_fingerprint();
  test_not_found();
  test_header();
  test_every_truncation();
  test_values_damaged();
  test_tensors_damaged();
  test_split();
  test_codes();
  return check::finish();
}
