#include <gguf.h>

#include <algorithm>

#include "core/file/gguf_file.h"
#include "core/file/gguf_reader.h"

namespace qwen3_embed {
namespace {

constexpr uint64_t kLongestKey = 65535;

uint64_t scalar_bytes(uint32_t type) {
  switch (type) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_INT8:
    case GGUF_TYPE_BOOL:
      return 1;
    case GGUF_TYPE_UINT16:
    case GGUF_TYPE_INT16:
      return 2;
    case GGUF_TYPE_UINT32:
    case GGUF_TYPE_INT32:
    case GGUF_TYPE_FLOAT32:
      return 4;
    case GGUF_TYPE_UINT64:
    case GGUF_TYPE_INT64:
    case GGUF_TYPE_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

template <typename T>
T scalar_at(const std::string& bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::optional<int64_t> integer_at(uint32_t type, const std::string& bytes, size_t i) {
  switch (type) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_BOOL:
      return scalar_at<uint8_t>(bytes, i);
    case GGUF_TYPE_INT8:
      return scalar_at<int8_t>(bytes, i);
    case GGUF_TYPE_UINT16:
      return scalar_at<uint16_t>(bytes, i);
    case GGUF_TYPE_INT16:
      return scalar_at<int16_t>(bytes, i);
    case GGUF_TYPE_UINT32:
      return scalar_at<uint32_t>(bytes, i);
    case GGUF_TYPE_INT32:
      return scalar_at<int32_t>(bytes, i);
    case GGUF_TYPE_UINT64:
      return static_cast<int64_t>(std::min<uint64_t>(scalar_at<uint64_t>(bytes, i), INT64_MAX));
    case GGUF_TYPE_INT64:
      return scalar_at<int64_t>(bytes, i);
    default:
      return std::nullopt;
  }
}

std::optional<double> real_at(uint32_t type, const std::string& bytes, size_t i) {
  if (type == GGUF_TYPE_FLOAT32) return static_cast<double>(scalar_at<float>(bytes, i));
  if (type == GGUF_TYPE_FLOAT64) return scalar_at<double>(bytes, i);
  return std::nullopt;
}

}  // namespace

Gguf::Values Gguf::read_values(GgufReader& reader, uint64_t n_values,
                               std::vector<std::string>& keys) {
  Values values;
  for (uint64_t i = 0; i < n_values; i++) {
    std::string key = reader.text(kLongestKey, "a metadata key");
    reader.check_name(key, "a metadata key");
    if (values.count(key) != 0) {
      reader.fail("Expected each metadata key once but " + in_quotes(key) + " comes twice");
    }
    Value value{};
    value.n_items = 1;
    value.type = value.item_type = reader.number<uint32_t>("the type of a value");
    if (value.type == GGUF_TYPE_ARRAY) {
      value.item_type = reader.number<uint32_t>("the type of an array's items");
      value.n_items = reader.number<uint64_t>("the number of an array's items");
    }
    const uint64_t item_bytes = scalar_bytes(value.item_type);
    if (item_bytes == 0 && value.item_type != GGUF_TYPE_STRING) {
      reader.fail("Expected a value type from 0 to 12, and no array in an array, for " +
                      in_quotes(key) + " but came " + std::to_string(value.item_type),
                  "The file is damaged, or made for a newer reader.");
    }
    if (value.n_items > reader.remaining() / (item_bytes == 0 ? 8 : item_bytes)) {
      reader.fail("The array " + in_quotes(key) + " claims " + std::to_string(value.n_items) +
                  " items, more than the rest of the file could hold");
    }
    if (item_bytes > 0) {
      reader.append(value.bytes, value.n_items * item_bytes, "a metadata value");
    } else {
      for (uint64_t item = 0; item < value.n_items; item++) {
        reader.append(value.bytes, reader.number<uint64_t>("the length of a string"), "a string");
        value.ends.push_back(static_cast<uint32_t>(value.bytes.size()));
      }
    }
    if (value.item_type == GGUF_TYPE_BOOL && std::any_of(value.bytes.begin(), value.bytes.end(),
                                                         [](char c) { return c != 0 && c != 1; })) {
      reader.fail("Expected 0 or 1 for the boolean " + in_quotes(key) + " but came another byte");
    }
    keys.push_back(key);
    values.emplace(std::move(key), std::move(value));
  }
  return values;
}

const Gguf::Value* Gguf::find(std::string_view key) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? nullptr : &found->second;
}

const Gguf::Value* Gguf::find_array(std::string_view key) const {
  const Value* value = find(key);
  return value != nullptr && value->type == GGUF_TYPE_ARRAY ? value : nullptr;
}

std::optional<int64_t> Gguf::integer_in(const Values& values, std::string_view key) {
  const auto found = values.find(std::string(key));
  if (found == values.end() || found->second.type == GGUF_TYPE_BOOL) return std::nullopt;
  return integer_at(found->second.type, found->second.bytes, 0);
}

std::optional<int64_t> Gguf::integer(std::string_view key) const {
  return integer_in(values_, key);
}

std::optional<double> Gguf::real(std::string_view key) const {
  const Value* value = find(key);
  return value == nullptr ? std::nullopt : real_at(value->type, value->bytes, 0);
}

std::optional<bool> Gguf::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr || value->type != GGUF_TYPE_BOOL) return std::nullopt;
  return value->bytes[0] != 0;
}

std::optional<std::string> Gguf::text(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr || value->type != GGUF_TYPE_STRING) return std::nullopt;
  return value->bytes;
}

size_t Gguf::n_items(std::string_view key) const {
  const Value* value = find_array(key);
  return value == nullptr ? 0 : static_cast<size_t>(value->n_items);
}

std::optional<std::vector<std::string_view>> Gguf::views(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr || value->item_type != GGUF_TYPE_STRING) return std::nullopt;
  std::vector<std::string_view> items;
  items.reserve(value->ends.size());
  uint32_t start = 0;
  for (uint32_t end : value->ends) {
    items.emplace_back(value->bytes.data() + start, end - start);
    start = end;
  }
  return items;
}

std::optional<std::string_view> Gguf::bytes(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr || scalar_bytes(value->item_type) != 1 ||
      value->item_type == GGUF_TYPE_BOOL) {
    return std::nullopt;
  }
  return value->bytes;
}

std::optional<std::vector<std::string>> Gguf::texts(std::string_view key) const {
  const auto items = views(key);
  if (!items) return std::nullopt;
  return std::vector<std::string>(items->begin(), items->end());
}

std::optional<std::vector<int64_t>> Gguf::integers(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr || !integer_at(value->item_type, std::string(8, '\0'), 0))
    return std::nullopt;
  std::vector<int64_t> items(static_cast<size_t>(value->n_items));
  for (size_t i = 0; i < items.size(); i++)
    items[i] = *integer_at(value->item_type, value->bytes, i);
  return items;
}

std::optional<std::vector<double>> Gguf::reals(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr || !real_at(value->item_type, std::string(8, '\0'), 0)) return std::nullopt;
  std::vector<double> items(static_cast<size_t>(value->n_items));
  for (size_t i = 0; i < items.size(); i++) items[i] = *real_at(value->item_type, value->bytes, i);
  return items;
}

std::optional<std::pair<uint32_t, std::string>> Gguf::stored(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  std::string bytes;
  auto append = [&](auto number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  };
  if (value->type == GGUF_TYPE_ARRAY) {
    append(value->item_type);
    append(value->n_items);
  }
  if (value->item_type != GGUF_TYPE_STRING) return std::pair(value->type, bytes + value->bytes);
  uint32_t start = 0;
  for (const uint32_t end : value->ends) {
    append(uint64_t{end - start});
    bytes.append(value->bytes, start, end - start);
    start = end;
  }
  return std::pair(value->type, bytes);
}

std::optional<uint32_t> Gguf::type_of(std::string_view key) const {
  const Value* value = find(key);
  return value == nullptr ? std::nullopt : std::optional<uint32_t>(value->type);
}

std::optional<uint32_t> Gguf::item_type_of(std::string_view key) const {
  const Value* value = find_array(key);
  return value == nullptr ? std::nullopt : std::optional<uint32_t>(value->item_type);
}

}  // namespace qwen3_embed
