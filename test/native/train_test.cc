// The trainer against a reference in double, that against central differences; and what it promises
// of bits, packs and states.
#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>

#include "check.h"
#include "core/failure.h"
#include "core/train/trainer.h"
#include "packed_model.h"
#include "tiny_models.h"
#include "train_reference.h"

using namespace qwen3_embed;
using namespace qwen3_embed::train;

namespace {

// Weights that keep what passes through them of about the same size, norms about 1.
// Every value is exact in float, so that any compiler makes the same file.
std::string scaled(const gguf_builder::Folder& folder) {
  gguf_builder::Size size;
  size.n_embd = 64, size.n_ff = 96, size.n_layer = 3, size.n_head = 4, size.n_head_kv = 2;
  size.head_dim = 32, size.n_ctx = 64;
  const std::string drawn =
      folder.write("tiny.gguf", gguf_builder::qwen3_embedder(GGML_TYPE_F32, size).build());
  ggml_context* source = nullptr;
  gguf_context_ptr in(gguf_init_from_file(drawn.c_str(), {false, &source}));
  const ggml_context_ptr owner(source);
  const ggml_context_ptr memory(ggml_init({size_t{64} << 20, nullptr, false}));
  gguf_context_ptr out(gguf_init_empty());
  gguf_set_kv(out.get(), in.get());
  for (int64_t i = 0; i < gguf_get_n_tensors(in.get()); ++i) {
    const ggml_tensor* t = ggml_get_tensor(source, gguf_get_tensor_name(in.get(), i));
    std::vector<float> values = to_floats(t);
    for (float& value : values) value = t->ne[1] > 1 ? value * 0.3125f : 1 + 0.25f * value;
    gguf_add_tensor(
        out.get(), new_tensor(memory.get(), t->name, GGML_TYPE_F32, ggml_n_dims(t), t->ne, values));
  }
  const std::string path = folder.path() + "/scaled.gguf";
  gguf_write_to_file(out.get(), path.c_str(), false);
  return path;
}

// Shared instruction, a sequence that is another's prefix, two equal ones, one token alone.
std::vector<Sequence> texts() {
  return {{{5, 6, 7, 8, 9, 10}},
          {{5, 6, 7, 8, 11, 12, 13}},
          {{5, 6, 7}},
          {{40, 41, 42, 43, 44}},
          {{5, 6, 7, 8, 9, 10}},
          {{60, 61, 62}},
          {{70}},
          {{5, 6, 90, 91}},
          {{60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79}}};
}

TrainerOptions options_for(const std::string& path, bool exact) {
  TrainerOptions options;
  options.path = path;
  options.n_threads = 2;
  options.exact = exact;
  options.lora.rank = 3;
  options.lora.alpha = 6;
  options.loss.dims = {64, 32};
  options.loss.temperature = 0.1;
  options.most_norm = 1e9;
  return options;
}

void fill_b(Lora& lora) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 0.1f);
  for (const LoraPart& part : lora.parts()) {
    const auto n = static_cast<size_t>(part.n_out * lora.rank());
    for (size_t i = 0; i < n; ++i) lora.values[part.b + i] = normal(random);
  }
}

// Positives 3, 5, 8; text 7 is a hard negative of the first example, text 6 of the bank.
Batch batch() {
  return {{0, 1, 2}, {{3, 0, true}, {7, 0, false}, {5, 1, true}, {8, 2, true}, {6, -1, false}}};
}

// ---- the reference ----

void reference_agrees_with_differences(const Network& network, const Lora& lora) {
  train_reference::Model model(network, lora);
  train_reference::Values parameters(lora.values.begin(), lora.values.end()),
      gradients(parameters.size());
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  train_reference::Values c(static_cast<size_t>(network.n_embd));
  for (double& value : c) value = normal(random);
  const std::vector<Token> ids = {5, 6, 7, 8, 9, 10, 11};
  auto value = [&] {
    const train_reference::Values row = model.row(ids, parameters);
    double sum = 0;
    for (size_t i = 0; i < row.size(); ++i) sum += c[i] * row[i];
    return sum;
  };
  value();
  model.back(c, gradients);
  double largest = 0, worst = 0;
  for (const double g : gradients) largest = std::max(largest, std::abs(g));
  for (const LoraPart& part : lora.parts()) {
    for (const size_t first : {part.a, part.b}) {
      for (int n = 0; n < 6; ++n) {
        const size_t i = first + random() % static_cast<size_t>(part.n_in * lora.rank() / 2);
        if (i >= parameters.size()) continue;
        const double was = parameters[i], step = 1e-5;
        parameters[i] = was + step;
        const double more = value();
        parameters[i] = was - step;
        const double less = value();
        parameters[i] = was;
        worst = std::max(worst, std::abs((more - less) / (2 * step) - gradients[i]) / largest);
      }
    }
  }
  std::printf("reference against central differences: %.1e of the largest\n", worst);
  CHECK(worst < 1.5e-9);
}

// ---- the loss ----

// As loss.h writes it, over unit vectors in double.
double plain_loss(const LossOptions& options, const LossBatch& batch,
                  const std::vector<std::vector<double>>& rows) {
  double total = 0;
  for (const int32_t dims : options.dims) {
    auto s = [&](int32_t a, int32_t b) {
      const auto &x = rows[static_cast<size_t>(a)], &y = rows[static_cast<size_t>(b)];
      double xy = 0, xx = 0, yy = 0;
      for (size_t k = 0; k < static_cast<size_t>(dims); ++k)
        xy += x[k] * y[k], xx += x[k] * x[k], yy += y[k] * y[k];
      return xy / std::sqrt(xx * yy);
    };
    for (size_t i = 0; i < batch.queries.size(); ++i) {
      const int32_t q = batch.queries[i];
      LossDocument positive{};
      for (const LossDocument& d : batch.documents) {
        if (d.example == static_cast<int32_t>(i) && d.is_positive) positive = d;
      }
      const double own = s(q, positive.row), limit = own + options.margin;
      auto e = [&](double x) { return std::exp(x / options.temperature); };
      double z = e(own);
      for (size_t j = 0; j < batch.queries.size(); ++j) {
        if (j != i && s(q, batch.queries[j]) <= limit) z += e(s(q, batch.queries[j]));
      }
      for (const LossDocument& d : batch.documents) {
        const bool mine = d.example == static_cast<int32_t>(i);
        if ((mine && d.is_positive) || d.text == positive.text) continue;
        if (s(q, d.row) <= limit) z += e(s(q, d.row));
        if (!mine && d.example >= 0 && s(q, d.row) <= limit) z += e(s(positive.row, d.row));
      }
      total -=
          std::log(e(own) / z) / static_cast<double>(batch.queries.size() * options.dims.size());
    }
  }
  return total;
}

void loss_agrees() {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  const int64_t n_embd = 32;
  std::vector<std::vector<double>> rows(9);
  std::vector<Vector> floats(rows.size());
  LossBatch batch;
  batch.n_embd = n_embd;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (int64_t k = 0; k < n_embd; ++k)
      floats[r].push_back(normal(random) + (r % 3 == 0 ? 1.0f : 0.0f));
    rows[r].assign(floats[r].begin(), floats[r].end());
    batch.rows.push_back(floats[r].data());
  }
  batch.queries = {0, 1, 2};
  // The last two: a text equal to the first positive, and one of the bank that gets no gradient.
  batch.documents = {{3, 10, 0, true}, {4, 11, 0, false}, {5, 12, 1, true},
                     {6, 13, 2, true}, {7, 10, 2, false}, {8, 14, -1, false}};
  batch.n_trained = 8;
  LossOptions options;
  options.temperature = 0.2;
  options.margin = 0.1;
  options.dims = {32, 16};
  Vector gradients(static_cast<size_t>(batch.n_trained * n_embd));
  const double loss = contrastive_loss(options, batch, gradients.data());
  std::printf("loss %.12f, as written %.12f\n", loss, plain_loss(options, batch, rows));
  CHECK(std::abs(loss - plain_loss(options, batch, rows)) < 1e-12);
  double worst = 0;
  for (size_t r = 0; r < 8; ++r) {
    for (size_t k = 0; k < static_cast<size_t>(n_embd); ++k) {
      const double was = rows[r][k], step = 1e-6;
      rows[r][k] = was + step;
      const double more = plain_loss(options, batch, rows);
      rows[r][k] = was - step;
      const double less = plain_loss(options, batch, rows);
      rows[r][k] = was;
      const double g = static_cast<double>(gradients[r * static_cast<size_t>(n_embd) + k]);
      worst = std::max(worst, std::abs((more - less) / (2 * step) - g));
    }
  }
  std::printf("its gradient against differences: off by %.1e\n", worst);
  CHECK(worst < 5.5e-8);
  // What is masked gets nothing: the only row that no term reaches.
  batch.documents = {{3, 10, 0, true}, {5, 12, 1, true}, {6, 13, 2, true}, {7, 10, 0, false}};
  options.pairs = false;
  options.margin = -10;
  std::fill(gradients.begin(), gradients.end(), 0.0f);
  CHECK(contrastive_loss(options, batch, gradients.data()) == 0);
  CHECK(std::all_of(gradients.begin(), gradients.end(), [](float g) { return g == 0; }));
  // Two by two by hand: unit vectors at right angles, s = 1 on the diagonal, 0 beside it.
  const Vector x = {1, 0}, y = {0, 1};
  LossBatch two;
  two.n_embd = 2;
  two.rows = {x.data(), y.data(), x.data(), y.data()};
  two.queries = {0, 1};
  two.documents = {{2, 1, 0, true}, {3, 2, 1, true}};
  two.n_trained = 4;
  LossOptions plain;
  plain.temperature = 1;
  plain.dims = {2};
  Vector ignored(8);
  const double e = std::exp(1.0);
  CHECK(std::abs(contrastive_loss(plain, two, ignored.data()) - std::log((e + 3) / e)) < 1e-15);
}

// What torch's autograd gives in float64 (test/fixtures/train/make_loss.py).
void loss_is_torchs() {
  std::ifstream in(root() + "/test/fixtures/train/loss.txt");
  int n = 0, per = 0, width = 0;
  LossOptions options;
  options.dims.resize(2);
  double expected = 0;
  in >> n >> per >> width >> options.temperature >> options.margin >> options.dims[0] >>
      options.dims[1] >> expected;
  const auto n_rows = static_cast<size_t>(2 * n + n * per), n_embd = static_cast<size_t>(width);
  std::vector<Vector> rows(n_rows, Vector(n_embd));
  std::vector<double> gradient(n_rows * n_embd);
  for (Vector& row : rows) {
    for (float& value : row) in >> value;
  }
  for (double& value : gradient) in >> value;
  CHECK(static_cast<bool>(in));
  LossBatch batch;
  batch.n_embd = width;
  batch.n_trained = static_cast<int32_t>(n_rows);
  for (const Vector& row : rows) batch.rows.push_back(row.data());
  for (int32_t i = 0; i < n; ++i) {
    batch.queries.push_back(i);
    batch.documents.push_back({n + i, n + i, i, true});
    for (int32_t k = 0; k < per; ++k) {
      const int32_t row = 2 * n + i * per + k;
      batch.documents.push_back({row, row, i, false});
    }
  }
  Vector ours(n_rows * n_embd);
  const double loss = contrastive_loss(options, batch, ours.data());
  double worst = 0;
  for (size_t i = 0; i < ours.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(ours[i]) - gradient[i]));
  std::printf("against torch: loss off by %.1e, gradient by %.1e\n", std::abs(loss - expected),
              worst);
  CHECK(std::abs(loss - expected) < 1e-12);
  CHECK(worst < 5e-8);
}

// ---- the network ----

// Of the network that torch judges: small numbers of few bits, the same with any compiler.
void fill_evenly(Lora& lora) {
  uint32_t state = 1;
  for (float& value : lora.values) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 20) / 8192.0f - 0.25f;
  }
}

TrainerOptions options_for_torch(const std::string& path) {
  TrainerOptions options = options_for(path, true);
  options.lora.rank = 2;
  options.lora.alpha = 3;
  return options;
}

// What test/fixtures/train/make_network.py reads.
void write_network(const std::string& folder, const std::string& model) {
  std::filesystem::copy_file(model, folder + "/scaled.gguf",
                             std::filesystem::copy_options::overwrite_existing);
  Trainer trainer(options_for_torch(model), {});
  fill_evenly(trainer.lora());
  trainer.write_adapter(folder + "/adapter.gguf", {});
}

// What torch's autograd gives in float64 for the whole network.
struct TorchNetwork {
  TorchNetwork() {
    std::ifstream in(root() + "/test/fixtures/train/network.txt");
    size_t n_texts = 0, n_queries = 0, n_documents = 0;
    loss_options.dims.resize(2);
    in >> n_texts >> n_queries >> n_documents >> n_embd >> loss_options.temperature >>
        loss_options.margin >> loss_options.dims[0] >> loss_options.dims[1];
    texts.resize(n_texts);
    for (Sequence& text : texts) {
      size_t n = 0;
      in >> n;
      text.ids.resize(n);
      for (Token& id : text.ids) in >> id;
    }
    batch.queries.resize(n_queries);
    for (int32_t& query : batch.queries) in >> query;
    batch.documents.resize(n_documents);
    for (Batch::Document& document : batch.documents)
      in >> document.text >> document.example >> document.is_positive;
    in >> loss;
    rows.resize(n_texts * n_embd);
    for (double& value : rows) in >> value;
    for (double value = 0; in >> value;) gradient.push_back(value);
  }

  size_t n_embd = 0;
  LossOptions loss_options;
  std::vector<Sequence> texts;
  Batch batch;
  double loss = 0;
  train_reference::Values rows, gradient;
};

template <typename Numbers>
double off_by(const Numbers& ours, const train_reference::Values& theirs) {
  if (ours.size() != theirs.size()) return INFINITY;
  double worst = 0, largest = 0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(ours[i]) - theirs[i]));
    largest = std::max(largest, std::abs(theirs[i]));
  }
  return worst / largest;
}

// Each matrix by itself: none may hide behind another's larger entries.
void parts_are_torchs(const Lora& lora, const Vector& ours, const train_reference::Values& theirs) {
  double worst = 0;
  for (const LoraPart& part : lora.parts()) {
    const auto a = static_cast<std::ptrdiff_t>(part.a), b = static_cast<std::ptrdiff_t>(part.b);
    const std::ptrdiff_t end = b + static_cast<std::ptrdiff_t>(part.n_out * lora.rank());
    for (const auto& [from, to] : {std::pair{a, b}, {b, end}}) {
      const Vector some(ours.begin() + from, ours.begin() + to);
      worst = std::max(worst, off_by(some, {theirs.begin() + from, theirs.begin() + to}));
    }
  }
  std::printf("any A or B against torch: off by %.1e of its largest\n", worst);
  CHECK(worst < 2e-5);
}

void network_is_torchs(const std::string& path) {
  const TorchNetwork torch;
  TrainerOptions options = options_for_torch(path);
  options.loss = torch.loss_options;

  // The trainer's floats.
  for (const int budget : {4096, 12}) {
    options.budget = budget;
    Trainer trainer(options, {});
    fill_evenly(trainer.lora());
    trainer.update(0);
    trainer.set_texts(torch.texts);
    const double loss = trainer.gradient(torch.batch, {}).loss;
    const Vector gradient = trainer.lora().gradients;
    std::vector<int32_t> all(torch.texts.size());
    std::iota(all.begin(), all.end(), 0);
    const double rows_off = off_by(trainer.rows(all, {}), torch.rows),
                 gradient_off = off_by(gradient, torch.gradient);
    std::printf("network against torch, packs of %d: loss off by %.1e, rows %.1e, gradient %.1e\n",
                budget, std::abs(loss - torch.loss), rows_off, gradient_off);
    CHECK(std::abs(loss - torch.loss) < 8e-6);
    CHECK(rows_off < 6e-6);
    CHECK(gradient_off < 6e-6);
    parts_are_torchs(trainer.lora(), gradient, torch.gradient);
  }

  // The reference in double that the other tests lean on, for rows as torch has them.
  const Gguf file(path);
  const std::shared_ptr<Network> network = build_network(file, read_facts(file));
  Lora lora(*network, options.lora);
  fill_evenly(lora);
  train_reference::Model model(*network, lora);
  const train_reference::Values parameters(lora.values.begin(), lora.values.end());
  train_reference::Values rows, gradient(parameters.size());
  for (const Sequence& text : torch.texts) {
    const train_reference::Values row = model.row(text.ids, parameters);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const Vector floats(rows.begin(), rows.end());
  LossBatch judged;
  judged.n_embd = network->n_embd;
  judged.n_trained = static_cast<int32_t>(torch.texts.size());
  for (size_t i = 0; i < torch.texts.size(); ++i)
    judged.rows.push_back(floats.data() + i * torch.n_embd);
  judged.queries = torch.batch.queries;
  for (const Batch::Document& d : torch.batch.documents)
    judged.documents.push_back({d.text, d.text, d.example, d.is_positive});
  Vector d_rows(floats.size());
  contrastive_loss(options.loss, judged, d_rows.data());
  for (size_t i = 0; i < torch.texts.size(); ++i) {
    model.row(torch.texts[i].ids, parameters);
    const auto from = d_rows.begin() + static_cast<std::ptrdiff_t>(i * torch.n_embd);
    model.back({from, from + static_cast<std::ptrdiff_t>(torch.n_embd)}, gradient);
  }
  std::printf("reference against torch: rows off by %.1e, gradient by %.1e\n",
              off_by(rows, torch.rows), off_by(gradient, torch.gradient));
  CHECK(off_by(rows, torch.rows) < 1.5e-12);
  // Rows go into the loss, and its gradient out of it, as floats.
  CHECK(off_by(gradient, torch.gradient) < 3e-7);
}

// ---- the trainer ----

double largest_of(const Vector& values) {
  double largest = 0;
  for (const float value : values)
    largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

double off(const Vector& a, const Vector& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i] - b[i])));
  return worst;
}

bool same(const Vector& a, const Vector& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Vector gradient_of(TrainerOptions options, int budget, int n_threads, Vector* rows = nullptr) {
  options.budget = budget;
  options.n_threads = n_threads;
  Trainer trainer(options, {});
  fill_b(trainer.lora());
  trainer.update(0);
  trainer.set_texts(texts());
  trainer.gradient(batch(), {});
  if (rows != nullptr) *rows = trainer.rows({0, 1, 2, 3, 4, 5, 6, 7, 8}, {});
  return trainer.lora().gradients;
}

void trainer_agrees(const std::string& path) {
  const TrainerOptions options = options_for(path, true);
  Vector rows;
  const Vector gradients = gradient_of(options, 4096, 2, &rows);

  const Gguf file(path);
  const std::shared_ptr<Network> network = build_network(file, read_facts(file));
  Lora lora(*network, options.lora);
  fill_b(lora);
  reference_agrees_with_differences(*network, lora);

  train_reference::Model model(*network, lora);
  const train_reference::Values parameters(lora.values.begin(), lora.values.end());
  const std::vector<Sequence> all = texts();
  const auto n_embd = static_cast<size_t>(network->n_embd);
  double row_off = 0;
  std::vector<Vector> floats;
  for (size_t i = 0; i < all.size(); ++i) {
    const train_reference::Values row = model.row(all[i].ids, parameters);
    floats.emplace_back(row.begin(), row.end());
    for (size_t k = 0; k < n_embd; ++k)
      row_off = std::max(row_off, std::abs(row[k] - static_cast<double>(rows[i * n_embd + k])));
  }
  std::printf("rows against the reference: off by %.1e\n", row_off);
  CHECK(row_off < 1e-5);

  LossBatch judged;
  judged.n_embd = network->n_embd;
  for (const Vector& row : floats) judged.rows.push_back(row.data());
  judged.n_trained = static_cast<int32_t>(all.size());
  judged.queries = {0, 1, 2};
  for (const Batch::Document& d : batch().documents)
    judged.documents.push_back({d.text, d.text, d.example, d.is_positive});
  Vector d_rows(all.size() * n_embd);
  contrastive_loss(options.loss, judged, d_rows.data());
  train_reference::Values expected(parameters.size());
  for (size_t i = 0; i < all.size(); ++i) {
    model.row(all[i].ids, parameters);
    model.back({d_rows.begin() + static_cast<std::ptrdiff_t>(i * n_embd),
                d_rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_embd)},
               expected);
  }
  const Vector as_floats(expected.begin(), expected.end());
  const double worst = off(gradients, as_floats) / largest_of(as_floats);
  std::printf("gradients against the reference: off by %.1e of the largest\n", worst);
  CHECK(worst < 6e-6);

  for (const int budget : {1, 7, 12}) {
    const double apart = off(gradient_of(options, budget, 2), gradients) / largest_of(gradients);
    std::printf("packs of %d rows: off by %.1e of the largest\n", budget, apart);
    CHECK(apart < 2e-6);
  }
  for (const bool exact : {true, false}) {
    const TrainerOptions one = options_for(path, exact);
    CHECK(same(gradient_of(one, 12, 1), gradient_of(one, 12, 3)));
  }
}

void base_is_kept(const std::string& path) {
  TrainerOptions options = options_for(path, false);
  Trainer trainer(options, {});
  trainer.set_texts(texts());
  const std::vector<int32_t> some = {0, 1, 2, 3};
  const Vector with = trainer.rows(some, {});
  options.lora.targets = {true, false, false, false, false, false, false};
  options.lora.n_layers = 1;
  Trainer other(options, {});
  other.set_texts(texts());
  CHECK(same(with, other.rows(some, {})));
}

void states_go_on(const std::string& path, const gguf_builder::Folder& folder) {
  const TrainerOptions options = options_for(path, false);
  const std::string state = folder.path() + "/state.gguf";
  auto step = [](Trainer& trainer) {
    trainer.gradient(batch(), {});
    trainer.update(1e-2);
  };
  Trainer straight(options, {});
  straight.set_texts(texts());
  for (int i = 0; i < 4; ++i) step(straight);
  Trainer first(options, {});
  first.set_texts(texts());
  for (int i = 0; i < 2; ++i) step(first);
  first.write_state(state, "{\"step\":2}");
  TrainerOptions again = options;
  again.n_threads = 1;
  Trainer second(again, {});
  second.set_texts(texts());
  CHECK(second.read_state(state) == "{\"step\":2}");
  CHECK(second.n_updates() == 2);
  for (int i = 0; i < 2; ++i) step(second);
  CHECK(same(second.lora().values, straight.lora().values));

  auto refused = [&](const std::string& bytes) {
    try {
      second.read_state(folder.write("broken.gguf", bytes));
      return false;
    } catch (const Failure& failure) {
      return failure.code == Code::model_invalid;
    }
  };
  std::ifstream in(state, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  CHECK(refused(""));
  CHECK(refused(bytes.substr(0, bytes.size() / 2)));
  for (size_t at = 0; at < bytes.size(); at += 997) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(refused(damaged));
  }
}

double cosine_of(const Vector& a, const Vector& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

void eight_bits_are_enough() {
  TrainerOptions options;
  options.path = root() + "/models/mini/mini-embed-Q8_0.gguf";
  options.n_threads = 2;
  options.loss.dims = {256, 128, 64};
  options.loss.temperature = 0.05;
  std::mt19937 random(6);
  std::vector<Sequence> sequences;
  Batch batch;
  for (int32_t i = 0; i < 16; ++i) {
    for (const int n : {12, 60}) {
      Sequence sequence;
      for (int k = 0; k < n; ++k) sequence.ids.push_back(static_cast<Token>(random() % 20000));
      sequences.push_back(std::move(sequence));
    }
    batch.queries.push_back(2 * i);
    batch.documents.push_back({2 * i + 1, i, true});
  }
  Vector gradients[2];
  for (const bool exact : {false, true}) {
    options.exact = exact;
    Trainer trainer(options, {});
    fill_b(trainer.lora());
    for (float& value : trainer.lora().values) value *= 0.2f;
    trainer.update(0);
    trainer.set_texts(sequences);
    trainer.gradient(batch, {});
    gradients[exact] = trainer.lora().gradients;
  }
  double norms[2] = {};
  for (int i = 0; i < 2; ++i) {
    for (const float g : gradients[i]) norms[i] += static_cast<double>(g) * static_cast<double>(g);
  }
  const double alike = cosine_of(gradients[0], gradients[1]),
               ratio = std::sqrt(norms[0] / norms[1]);
  std::printf("mini, 8-bit products against float ones: cosine %.5f, norms %.4f\n", alike, ratio);
  CHECK(alike >= 0.999);
  CHECK(ratio > 0.99 && ratio < 1.01);
}

}  // namespace

int main(int argc, char** argv) {
  load_backends(libraries());
  const gguf_builder::Folder folder;
  const std::string path = scaled(folder);
  if (argc == 3 && std::string(argv[1]) == "--write") {
    write_network(argv[2], path);
    return 0;
  }
  loss_agrees();
  loss_is_torchs();
  network_is_torchs(path);
  trainer_agrees(path);
  base_is_kept(path);
  states_go_on(path, folder);
  eight_bits_are_enough();
  return check::finish();
}
