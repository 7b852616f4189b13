// Parts of a tile's product on tensor cores: copies into shared memory behind the arithmetic, layouts without bank
// conflicts, fragments, mma.sync.
//
// A tile of the product takes kDepth values of the summed index at a time. Shared memory holds an operand in one of two
// layouts, without padding. Chunks are 16 bytes; which chunk a row puts where is an exclusive or:
//   Deep: [rows][kDepth], the summed index contiguous; chunk c of row r lies at c ^ (4 if r is odd)
//   Wide: [kDepth][columns], the other index contiguous; chunk c of row k lies at c ^ 2 (k / 4 mod 4)
// A step of 16 values of the summed index needs of each lane, of each of its rows, values 4 t .. 4 t + 3 (t = lane mod
// 4). mma.sync asks for others, but a sum may be taken in any order that both operands share: one 16-byte load of a
// deep row has all four. In the same way a wide operand's lane takes neighbouring columns. A quarter (deep) or half
// (wide) of a warp then touches each bank once: of the deep layout two neighbouring rows, four chunks each; of the
// wide one four groups of four rows, whose chunks the exclusive or spreads.
#pragma once

#include <cstdint>

#include "kernels/nn/layers/conv/implicit_gemm_args.hpp"

namespace splitsim::implicit_gemm {

constexpr int kDepth = 32;  ///< summed values of one stage
constexpr int kStep = 16;   ///< of one set of fragments

/// Shapes of a block's tile and of its warps' parts; kBlocks: blocks that an SM should hold.
template <int kRows_, int kColumns_, int kWarpRows_, int kWarpColumns_, int kStages_, int kBlocks_>
struct Tile {
  static constexpr int kRows = kRows_, kColumns = kColumns_, kWarpRows = kWarpRows_, kWarpColumns = kWarpColumns_;
  static constexpr int kStages = kStages_, kBlocks = kBlocks_;
  static constexpr int kWarpsAcross = kColumns / kWarpColumns;
  static constexpr int kThreads = kRows / kWarpRows * kWarpsAcross * 32;
  static constexpr int kPitch = kColumns < 32 ? 32 : kColumns;  ///< of a wide operand of kColumns
  static constexpr int kRowPitch = kRows < 32 ? 32 : kRows;     ///< of a wide operand of kRows
  static constexpr int kMmaRows = kWarpRows / 16, kMmaColumns = kWarpColumns / 8;
  static_assert(kWarpRows % 16 == 0 && kWarpColumns % 16 == 0 && kRows % kWarpRows == 0);
};

/// kFloats (1 or 4) from global to shared memory in the background; zeros instead where `on` is false: `from` is then
/// not read and may lie anywhere.
template <int kFloats>
__device__ inline void copy_async(float* to, const float* from, bool on) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = on ? 4 * kFloats : 0;
  // .ca: the taps of a window read the same pixels again and again, from L1 where it still has them.
  if constexpr (kFloats == 4) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
  }
}
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// Where value k of row r of a deep operand lies.
__device__ inline int deep_at(int r, int k) { return r * kDepth + (((k >> 2) ^ ((r & 1) << 2)) << 2) + (k & 3); }
/// Where column c of row k of a wide operand lies.
template <int kPitch>
__device__ inline int wide_at(int k, int c) {
  return k * kPitch + (((c >> 2) ^ (((k >> 2) & 3) << 1)) << 2) + (c & 3);
}

// The tensor cores cut the low 13 bits of a TF32 operand off. A factor of 1 + 2^-10 / 3 before that makes it a rounding
// within 2/3 of a unit, without bias over a binade; a number of 11 bits stays as it is. It is one instruction, where
// cvt.rna.tf32 becomes three, and it keeps NaN and infinity, which adding half a unit to the bits would not.
constexpr float kRound = 1.0f + 0x1p-10f / 3.0f;
__device__ inline unsigned to_tf32(float v) { return __float_as_uint(v * kRound); }
/// The same, cut off here: what is left, v - high, is exact and has at most 13 bits.
__device__ inline unsigned high_tf32(float v) { return __float_as_uint(v * kRound) & 0xffffe000u; }
__device__ inline unsigned low_tf32(float v, unsigned high) { return __float_as_uint(v - __uint_as_float(high)); }
__device__ inline unsigned to_bf16(float low, float high) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
__device__ inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// A warp's part of a tile: sums, fragments of one step, and where the lane stands.
template <class Tile>
struct WarpTile {
  static constexpr int kM = Tile::kMmaRows, kN = Tile::kMmaColumns;
  float sums[kM][kN][4] = {};
  float a[kM][2][4];  ///< [16 rows][upper, lower half][summed value]
  float b[kN][4];     ///< [8 columns][summed value]
  int g, t, row0, column0;
  int at_a[2], at_b[2];  ///< floats: where the lane's first value lies, of even and of odd steps or tiles

  __device__ WarpTile(bool wide_a, bool wide_b) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    g = lane / 4;
    t = lane % 4;
    row0 = warp / Tile::kWarpsAcross * Tile::kWarpRows;
    column0 = warp % Tile::kWarpsAcross * Tile::kWarpColumns;
    at_a[0] = wide_a ? wide_at<Tile::kRowPitch>(4 * t, row0 + 2 * g) : deep_at(row0 + g, 4 * t);
    // Such columns that a lane's sums of two neighbouring mma columns are four in a row.
    at_b[0] = wide_b ? wide_at<Tile::kPitch>(4 * t, column0 + 2 * g) : deep_at(column0 + 4 * (g >> 1) + (g & 1), 4 * t);
    at_a[1] = at_a[0] ^ 16;
    at_b[1] = at_b[0] ^ 16;
  }

  /// Rows and columns of the tile that sums[m][2 p], [2 p + 1] hold: row(m, h), and four columns from column(p).
  template <bool kWideA>
  __device__ int row(int m, int h) const {
    return row0 + 16 * m + (kWideA ? 2 * g + h : g + 8 * h);
  }
  __device__ int column(int pair) const { return column0 + 16 * pair + 4 * t; }
  template <bool kWideB>
  __device__ float4 four(int m, int pair, int h) const {
    const float(&u)[4] = sums[m][2 * pair];
    const float(&v)[4] = sums[m][2 * pair + 1];
    return kWideB ? make_float4(u[2 * h], v[2 * h], u[2 * h + 1], v[2 * h + 1])
                  : make_float4(u[2 * h], u[2 * h + 1], v[2 * h], v[2 * h + 1]);
  }

  // Of a deep row the next step's chunks, of a wide row those of the next 16 columns are an exclusive or with 4 away:
  // that is at[1]. Everything else is a constant distance, which costs no instruction.
  template <bool kWideA>
  __device__ void load_a(const float* tile, int step) {
#pragma unroll
    for (int m = 0; m < kM; ++m) {
      if constexpr (kWideA) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const float* from = tile + at_a[m % 2] + (step * kStep + j) * Tile::kRowPitch + m / 2 * 32;
          const float2 v = *reinterpret_cast<const float2*>(from);
          a[m][0][j] = v.x;
          a[m][1][j] = v.y;
        }
      } else {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const float4 v = *reinterpret_cast<const float4*>(tile + at_a[step] + (16 * m + 8 * h) * kDepth);
          a[m][h][0] = v.x, a[m][h][1] = v.y, a[m][h][2] = v.z, a[m][h][3] = v.w;
        }
      }
    }
  }

  template <bool kWideB>
  __device__ void load_b(const float* tile, int step) {
#pragma unroll
    for (int n = 0; n < kN; n += kWideB ? 2 : 1) {
      if constexpr (kWideB) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const float* from = tile + at_b[n / 2 % 2] + (step * kStep + j) * Tile::kPitch + n / 4 * 32;
          const float2 v = *reinterpret_cast<const float2*>(from);
          b[n][j] = v.x;
          b[n + 1][j] = v.y;
        }
      } else {
        const float4 v = *reinterpret_cast<const float4*>(tile + at_b[step] + (16 * (n / 2) + 2 * (n % 2)) * kDepth);
        b[n][0] = v.x, b[n][1] = v.y, b[n][2] = v.z, b[n][3] = v.w;
      }
    }
  }

  template <Precision kPrecision>
  __device__ void multiply() {
    if constexpr (kPrecision == Precision::kBf16) {
      unsigned bb[kN][2];
#pragma unroll
      for (int n = 0; n < kN; ++n) bb[n][0] = to_bf16(b[n][0], b[n][1]), bb[n][1] = to_bf16(b[n][2], b[n][3]);
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        const unsigned aa[4] = {to_bf16(a[m][0][0], a[m][0][1]), to_bf16(a[m][1][0], a[m][1][1]),
                                to_bf16(a[m][0][2], a[m][0][3]), to_bf16(a[m][1][2], a[m][1][3])};
#pragma unroll
        for (int n = 0; n < kN; ++n) mma_bf16(sums[m][n], aa, bb[n]);
      }
    } else {
      multiply_half<kPrecision, 0>();
      multiply_half<kPrecision, 2>();
    }
  }

 private:
  /// The products of summed values kFirst and kFirst + 1 of each lane: one m16n8k8, or three of them.
  template <Precision kPrecision, int kFirst>
  __device__ void multiply_half() {
    constexpr bool kSplit = kPrecision == Precision::kFp32;
    unsigned high[kN][2], low[kSplit ? kN : 1][2];
#pragma unroll
    for (int n = 0; n < kN; ++n) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float v = b[n][kFirst + j];
        high[n][j] = kSplit ? high_tf32(v) : to_tf32(v);
        if constexpr (kSplit) low[n][j] = low_tf32(v, high[n][j]);
      }
    }
#pragma unroll
    for (int m = 0; m < kM; ++m) {
      unsigned upper[4], rest[kSplit ? 4 : 1];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float v = a[m][j % 2][kFirst + j / 2];
        upper[j] = kSplit ? high_tf32(v) : to_tf32(v);
        if constexpr (kSplit) rest[j] = low_tf32(v, upper[j]);
      }
      if constexpr (kSplit) {  // the small products first
#pragma unroll
        for (int n = 0; n < kN; ++n) mma_tf32(sums[m][n], rest, high[n]);
#pragma unroll
        for (int n = 0; n < kN; ++n) mma_tf32(sums[m][n], upper, low[n]);
      }
#pragma unroll
      for (int n = 0; n < kN; ++n) mma_tf32(sums[m][n], upper, high[n]);
    }
  }
};

/// Stores four neighbouring floats of a row of `columns`, of which the first is `column`; at once where `wide`.
__device__ inline void store_four(float* row, int column, int columns, bool wide, const float4& v) {
  if (wide) {
    if (column < columns) *reinterpret_cast<float4*>(row + column) = v;
    return;
  }
  const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < columns) row[column + i] = values[i];
  }
}

/// Loads them; 0 beyond the row.
__device__ inline float4 load_four(const float* row, int column, int columns, bool wide) {
  if (wide) return column < columns ? *reinterpret_cast<const float4*>(row + column) : float4{};
  float values[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) values[i] = column + i < columns ? row[column + i] : 0.0f;
  return {values[0], values[1], values[2], values[3]};
}

/// The block's shared memory: kStages of both operands, and what follows them.
extern __shared__ float4 shared_memory[];

/// Multiplies `stages` stages of two operands into the warp's sums. A, B: copies(stage's floats) starts the copies of
/// the next kDepth summed values; each is called once per stage, in order. after(warp): with every step's fragments.
template <class Tile, Precision kPrecision, class A, class B, class Each>
__device__ inline void multiply_stages(WarpTile<Tile>& warp, int stages, A& a, B& b, const Each& each) {
  constexpr int kFloatsA = A::kFloats, kFloats = kFloatsA + B::kFloats;
  float* const memory = reinterpret_cast<float*>(shared_memory);
  int write = 0, read = 0;
  const auto start = [&](bool on) {
    if (on) {
      a.copies(memory + write * kFloats);
      b.copies(memory + write * kFloats + kFloatsA);
    }
    commit_copies();  // also of nothing: waiting counts groups
    write = write + 1 == Tile::kStages ? 0 : write + 1;
  };
#pragma unroll 1
  for (int s = 0; s < Tile::kStages - 1; ++s) start(s < stages);
  for (int s = 0; s < stages; ++s) {
    wait_copies<Tile::kStages - 2>();
    __syncthreads();  // everybody's copies of this stage are there, and nobody reads the one that is written next
    start(s + Tile::kStages - 1 < stages);
    const float* tile = memory + read * kFloats;
    read = read + 1 == Tile::kStages ? 0 : read + 1;
#pragma unroll
    for (int step = 0; step < kDepth / kStep; ++step) {
      warp.template load_a<A::kWide>(tile, step);
      warp.template load_b<B::kWide>(tile + kFloatsA, step);
      each();
      warp.template multiply<kPrecision>();
    }
  }
}

}  // namespace splitsim::implicit_gemm
