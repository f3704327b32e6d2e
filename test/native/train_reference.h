// The network forwards and backwards as its formulas read, in double, one sequence at a time: what
// the trainer must agree with. Slow, and meant to be read beside the paper's equations:
//
//   a = rms(x) w_a      q, k, v = Wa     q̂, k̂ = rms per head w_q, w_k     q̃, k̃ = rope
//   P = softmax(c q̃k̃ᵀ)  o = P v          x1 = x + W_o o
//   b = rms(x1) w_f     f = g σ(g) u      x2 = x1 + W_d f
//
// Every W is W + s B A where it is trained.
#pragma once

#include <cmath>
#include <vector>

#include "core/train/lora.h"

namespace train_reference {

using namespace qwen3_embed;
using Values = std::vector<double>;

struct Matrix {
  int64_t n_out, n_in;
  Values w;
  const train::LoraPart* part;
};

class Model {
 public:
  Model(const Network& network, const train::Lora& lora) : net_(network), lora_(lora) {
    for (size_t i = 0; i < network.blocks.size(); ++i) {
      const auto linears = network.blocks[i].linears();
      for (size_t p = 0; p < linears.size(); ++p) {
        const WeightMatrix& weight = linears[p]->weight;
        Matrix matrix{weight.n_out, weight.n_in, {}, lora.part(i, p)};
        for (int64_t row = 0; row < weight.n_out; ++row) append(weight, row, matrix.w);
        matrices_.push_back(std::move(matrix));
      }
    }
  }

  // The row that stands for a sequence.
  Values row(const std::vector<Token>& ids, const Values& parameters) {
    parameters_ = &parameters;
    layers_.clear();
    Values x;
    for (const Token id : ids) append(net_.token_embd, id, x);
    n_ = static_cast<int64_t>(ids.size());
    for (size_t i = 0; i < net_.blocks.size(); ++i) x = layer(i, x);
    last_ = Values(x.end() - net_.n_embd, x.end());
    return norm(last_, net_.output_norm.weight, 1, net_.n_embd);
  }

  // After row(): adds the gradient by the parameters.
  void back(const Values& d_row, Values& gradients) {
    Values dx(static_cast<size_t>(n_ * net_.n_embd));
    Values d_last(last_.size());
    norm_back(last_, net_.output_norm.weight, 1, net_.n_embd, d_row, d_last);
    std::copy(d_last.begin(), d_last.end(), dx.end() - net_.n_embd);
    for (size_t i = net_.blocks.size(); i-- > 0;) dx = layer_back(i, dx, gradients);
  }

 private:
  struct Layer {
    Values x, a, q_raw, k_raw, v, q, k, p, o, x1, b, g, u, f;
  };

  void append(const WeightMatrix& matrix, int64_t row, Values& to) const {
    Vector values(static_cast<size_t>(matrix.n_in));
    std::vector<uint8_t> bytes;
    read_row(*net_.file, matrix, row, bytes, values.data());
    to.insert(to.end(), values.begin(), values.end());
  }

  Matrix& matrix(size_t block, size_t product) { return matrices_[block * 7 + product]; }
  double scale() const { return lora_.options().alpha / static_cast<double>(lora_.rank()); }

  // y = W x + s B A x
  Values linear(const Matrix& m, const Values& x) const {
    const int64_t n = static_cast<int64_t>(x.size()) / m.n_in, rank = lora_.rank();
    Values y(static_cast<size_t>(n * m.n_out));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t o = 0; o < m.n_out; ++o)
        for (int64_t k = 0; k < m.n_in; ++k)
          y[at(i, o, m.n_out)] += m.w[at(o, k, m.n_in)] * x[at(i, k, m.n_in)];
      if (m.part == nullptr) continue;
      const double *a = parameters_->data() + m.part->a, *b = parameters_->data() + m.part->b;
      for (int64_t r = 0; r < rank; ++r) {
        double h = 0;
        for (int64_t k = 0; k < m.n_in; ++k) h += a[r * m.n_in + k] * x[at(i, k, m.n_in)];
        for (int64_t o = 0; o < m.n_out; ++o) y[at(i, o, m.n_out)] += scale() * b[o * rank + r] * h;
      }
    }
    return y;
  }

  // dh = s Bᵀ dy; dB += s dy hᵀ; dA += dh xᵀ; dx += Wᵀ dy + Aᵀ dh
  void linear_back(const Matrix& m, const Values& x, const Values& dy, Values& dx,
                   Values& gradients) const {
    const int64_t n = static_cast<int64_t>(x.size()) / m.n_in, rank = lora_.rank();
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t o = 0; o < m.n_out; ++o)
        for (int64_t k = 0; k < m.n_in; ++k)
          dx[at(i, k, m.n_in)] += m.w[at(o, k, m.n_in)] * dy[at(i, o, m.n_out)];
      if (m.part == nullptr) continue;
      const double *a = parameters_->data() + m.part->a, *b = parameters_->data() + m.part->b;
      double *da = gradients.data() + m.part->a, *db = gradients.data() + m.part->b;
      for (int64_t r = 0; r < rank; ++r) {
        double h = 0, dh = 0;
        for (int64_t k = 0; k < m.n_in; ++k) h += a[r * m.n_in + k] * x[at(i, k, m.n_in)];
        for (int64_t o = 0; o < m.n_out; ++o) {
          dh += scale() * b[o * rank + r] * dy[at(i, o, m.n_out)];
          db[o * rank + r] += scale() * dy[at(i, o, m.n_out)] * h;
        }
        for (int64_t k = 0; k < m.n_in; ++k) {
          da[r * m.n_in + k] += dh * x[at(i, k, m.n_in)];
          dx[at(i, k, m.n_in)] += a[r * m.n_in + k] * dh;
        }
      }
    }
  }

  // Over groups of n values: of rows, or of heads.
  Values norm(const Values& x, const Vector& w, int64_t, int64_t n) const {
    Values y(x.size());
    for (size_t from = 0; from < x.size(); from += static_cast<size_t>(n)) {
      const double rho = rho_of(x.data() + from, n);
      for (size_t i = 0; i < static_cast<size_t>(n); ++i)
        y[from + i] = rho * x[from + i] * static_cast<double>(w[i]);
    }
    return y;
  }
  double rho_of(const double* x, int64_t n) const {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
    return 1 / std::sqrt(sum / static_cast<double>(n) + static_cast<double>(net_.epsilon));
  }
  // e = dy w; dx += ρ (e - x̂ mean(e x̂))
  void norm_back(const Values& x, const Vector& w, int64_t, int64_t n, const Values& dy,
                 Values& dx) const {
    for (size_t from = 0; from < x.size(); from += static_cast<size_t>(n)) {
      const double rho = rho_of(x.data() + from, n);
      double mean = 0;
      for (size_t i = 0; i < static_cast<size_t>(n); ++i)
        mean +=
            dy[from + i] * static_cast<double>(w[i]) * rho * x[from + i] / static_cast<double>(n);
      for (size_t i = 0; i < static_cast<size_t>(n); ++i)
        dx[from + i] += rho * (dy[from + i] * static_cast<double>(w[i]) - rho * x[from + i] * mean);
    }
  }

  // Halves of a head turned against each other, by `sign` times the angle of the position.
  void rope(Values& x, int64_t n_heads, double sign) const {
    const int64_t dim = net_.head_dim, half = dim / 2;
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t h = 0; h < n_heads; ++h) {
        double* head = x.data() + (i * n_heads + h) * dim;
        for (int64_t d = 0; d < half; ++d) {
          const double angle =
              static_cast<double>(i) *
              std::pow(net_.rope_theta, -2.0 * static_cast<double>(d) / static_cast<double>(dim));
          const double c = std::cos(angle), s = sign * std::sin(angle), a = head[d],
                       b = head[half + d];
          head[d] = a * c - b * s;
          head[half + d] = b * c + a * s;
        }
      }
    }
  }

  Values layer(size_t i, const Values& x) {
    const Block& block = net_.blocks[i];
    Layer l;
    l.x = x;
    l.a = norm(x, block.attention_norm.weight, n_, net_.n_embd);
    l.q_raw = linear(matrix(i, 0), l.a);
    l.k_raw = linear(matrix(i, 1), l.a);
    l.v = linear(matrix(i, 2), l.a);
    l.q = norm(l.q_raw, block.q_norm.weight, n_, net_.head_dim);
    l.k = norm(l.k_raw, block.k_norm.weight, n_, net_.head_dim);
    rope(l.q, net_.n_head, 1);
    rope(l.k, net_.n_head_kv, 1);
    const int64_t dim = net_.head_dim, group = net_.n_head / net_.n_head_kv;
    const double c = 1 / std::sqrt(static_cast<double>(dim));
    l.p.assign(static_cast<size_t>(net_.n_head * n_ * n_), 0);
    l.o.assign(static_cast<size_t>(n_ * net_.n_q()), 0);
    for (int64_t h = 0; h < net_.n_head; ++h) {
      for (int64_t t = 0; t < n_; ++t) {
        double* p = l.p.data() + (h * n_ + t) * n_;
        double sum = 0;
        for (int64_t j = 0; j <= t; ++j) {
          double s = 0;
          for (int64_t d = 0; d < dim; ++d) s += q_at(l.q, t, h, d) * kv_at(l.k, j, h / group, d);
          sum += p[j] = std::exp(c * s);
        }
        for (int64_t j = 0; j <= t; ++j) {
          p[j] /= sum;
          for (int64_t d = 0; d < dim; ++d)
            l.o[q_index(t, h, d)] += p[j] * kv_at(l.v, j, h / group, d);
        }
      }
    }
    l.x1 = linear(matrix(i, 3), l.o);
    for (size_t k = 0; k < x.size(); ++k) l.x1[k] += x[k];
    l.b = norm(l.x1, block.feed_forward_norm.weight, n_, net_.n_embd);
    l.g = linear(matrix(i, 4), l.b);
    l.u = linear(matrix(i, 5), l.b);
    l.f.resize(l.g.size());
    for (size_t k = 0; k < l.g.size(); ++k) l.f[k] = l.g[k] * sigmoid(l.g[k]) * l.u[k];
    Values y = linear(matrix(i, 6), l.f);
    for (size_t k = 0; k < y.size(); ++k) y[k] += l.x1[k];
    layers_.push_back(std::move(l));
    return y;
  }

  Values layer_back(size_t i, const Values& dy, Values& gradients) {
    const Block& block = net_.blocks[i];
    const Layer& l = layers_[i];
    Values df(l.f.size()), dg(l.f.size()), du(l.f.size()), db(l.b.size()), dx1 = dy;
    linear_back(matrix(i, 6), l.f, dy, df, gradients);
    for (size_t k = 0; k < df.size(); ++k) {
      const double s = sigmoid(l.g[k]);
      du[k] = df[k] * l.g[k] * s;
      dg[k] = df[k] * l.u[k] * s * (1 + l.g[k] * (1 - s));
    }
    linear_back(matrix(i, 5), l.b, du, db, gradients);
    linear_back(matrix(i, 4), l.b, dg, db, gradients);
    norm_back(l.x1, block.feed_forward_norm.weight, n_, net_.n_embd, db, dx1);

    Values d_o(l.o.size()), dq(l.q.size()), dk(l.k.size()), dv(l.v.size());
    linear_back(matrix(i, 3), l.o, dx1, d_o, gradients);
    const int64_t dim = net_.head_dim, group = net_.n_head / net_.n_head_kv;
    const double c = 1 / std::sqrt(static_cast<double>(dim));
    for (int64_t h = 0; h < net_.n_head; ++h) {
      const int64_t g = h / group;
      for (int64_t t = 0; t < n_; ++t) {
        const double* p = l.p.data() + (h * n_ + t) * n_;
        double delta = 0;
        for (int64_t d = 0; d < dim; ++d) delta += d_o[q_index(t, h, d)] * l.o[q_index(t, h, d)];
        for (int64_t j = 0; j <= t; ++j) {
          double dp = 0;
          for (int64_t d = 0; d < dim; ++d) {
            dp += d_o[q_index(t, h, d)] * kv_at(l.v, j, g, d);
            dv[kv_index(j, g, d)] += p[j] * d_o[q_index(t, h, d)];
          }
          const double ds = p[j] * (dp - delta);
          for (int64_t d = 0; d < dim; ++d) {
            dq[q_index(t, h, d)] += c * ds * kv_at(l.k, j, g, d);
            dk[kv_index(j, g, d)] += c * ds * q_at(l.q, t, h, d);
          }
        }
      }
    }
    rope(dq, net_.n_head, -1);
    rope(dk, net_.n_head_kv, -1);
    Values dq_raw(dq.size()), dk_raw(dk.size()), da(l.a.size()), dx = dx1;
    norm_back(l.q_raw, block.q_norm.weight, n_, dim, dq, dq_raw);
    norm_back(l.k_raw, block.k_norm.weight, n_, dim, dk, dk_raw);
    linear_back(matrix(i, 0), l.a, dq_raw, da, gradients);
    linear_back(matrix(i, 1), l.a, dk_raw, da, gradients);
    linear_back(matrix(i, 2), l.a, dv, da, gradients);
    norm_back(l.x, block.attention_norm.weight, n_, net_.n_embd, da, dx);
    return dx;
  }

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
  static size_t at(int64_t i, int64_t k, int64_t width) {
    return static_cast<size_t>(i * width + k);
  }
  size_t q_index(int64_t t, int64_t h, int64_t d) const {
    return at(t * net_.n_head + h, d, net_.head_dim);
  }
  size_t kv_index(int64_t t, int64_t h, int64_t d) const {
    return at(t * net_.n_head_kv + h, d, net_.head_dim);
  }
  double q_at(const Values& x, int64_t t, int64_t h, int64_t d) const {
    return x[q_index(t, h, d)];
  }
  double kv_at(const Values& x, int64_t t, int64_t h, int64_t d) const {
    return x[kv_index(t, h, d)];
  }

  const Network& net_;
  const train::Lora& lora_;
  std::vector<Matrix> matrices_;  // (n_blocks, 7)
  const Values* parameters_ = nullptr;
  int64_t n_ = 0;
  std::vector<Layer> layers_;
  Values last_;
};

}  // namespace train_reference
