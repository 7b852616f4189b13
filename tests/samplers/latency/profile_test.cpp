// Profiles: rounding, units, who is slow, traces and their errors.
#include "samplers/latency/profile.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "samplers/latency/latency_trace.hpp"

namespace splitsim {
namespace {

using enum DistributionKind;

LatencySettings constant_settings() {
  LatencySettings settings;
  settings.delay_ms = {kConstant, 1.5};
  settings.compute_ms = {kConstant, 0.2};
  settings.uplink_mbps = {kConstant, 100.0};
  settings.downlink_mbps = {kConstant, 400.0};
  return settings;
}

std::vector<std::int32_t> clients_above(const std::vector<std::int64_t>& values, std::int64_t limit) {
  std::vector<std::int32_t> found;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (values[k] > limit) found.push_back(static_cast<std::int32_t>(k));
  }
  return found;
}

TEST(Profile, UnitsByHand) {
  const Profile profile = make_profile(3, constant_settings(), {6000, 6000, 4, 1000000}, 1);
  ASSERT_EQ(profile.clients(), 3);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(profile.delay_ns[k], 1500000);
    EXPECT_EQ(profile.forward_ns[k], 200000);
    EXPECT_EQ(profile.backward_ns[k], 400000);
    EXPECT_EQ(profile.up_ns[k], 480320);    // 6004 bytes = 48032 bits at 100 bits per microsecond
    EXPECT_EQ(profile.down_ns[k], 120000);  // 48000 bits at 400 bits per microsecond
    EXPECT_EQ(profile.model_up_ns[k], 80000000);
    EXPECT_EQ(profile.model_down_ns[k], 20000000);
  }
  EXPECT_EQ(profile.server_fixed_ns, 1000000);
  EXPECT_EQ(profile.server_per_sample_ns, 10000);
}

TEST(Profile, RoundsOnceAndToEven) {
  LatencySettings settings = constant_settings();
  const auto forward_and_backward = [&](double ns, double ratio) {
    settings.compute_ms = {kConstant, ns * 1e-6};
    settings.backward_ratio = ratio;
    const Profile profile = make_profile(1, settings, {}, 1);
    return std::pair{profile.forward_ns[0], profile.backward_ns[0]};
  };
  EXPECT_EQ(forward_and_backward(0.5, 3.0), (std::pair<std::int64_t, std::int64_t>{0, 2}));  // not 3 x rounded 0
  EXPECT_EQ(forward_and_backward(1.5, 1.0), (std::pair<std::int64_t, std::int64_t>{2, 2}));
  EXPECT_EQ(forward_and_backward(2.5, 0.0), (std::pair<std::int64_t, std::int64_t>{2, 0}));
}

TEST(Profile, TwoSpeedHasExactlyRoundShareKSlowClients) {
  LatencySettings settings = constant_settings();
  const std::vector<std::pair<std::int32_t, double>> cases = {
      {128, 0.1}, {16, 0.2}, {10, 0.25}, {10, 0.35}, {7, 1.0}, {7, 0.0}, {1, 0.4}, {1, 0.6}, {1000, 0.0005}};
  for (const auto& [clients, share] : cases) {
    settings.delay_ms = {kTwoSpeed, 1.0, share, 10.0};
    const Profile profile = make_profile(clients, settings, {}, 3);
    const auto slow = clients_above(profile.delay_ns, 1000000);
    EXPECT_EQ(static_cast<double>(slow.size()), std::nearbyint(share * clients)) << clients << " x " << share;
    for (const std::int32_t k : slow) EXPECT_EQ(profile.delay_ns[static_cast<std::size_t>(k)], 10000000);
    EXPECT_EQ(std::count(profile.delay_ns.begin(), profile.delay_ns.end(), 1000000),
              clients - static_cast<std::int32_t>(slow.size()));
  }
}

TEST(Profile, TwoSpeedMakesLinksSlowerByDividing) {
  LatencySettings settings = constant_settings();
  settings.uplink_mbps = {kTwoSpeed, 80.0, 0.5, 4.0};
  const Profile profile = make_profile(4, settings, {1000, 1000, 0, 0}, 3);
  std::vector<std::int64_t> up = profile.up_ns;
  std::sort(up.begin(), up.end());
  EXPECT_EQ(up, (std::vector<std::int64_t>{100000, 100000, 400000, 400000}));
}

TEST(Profile, EveryClientIsSlowEquallyOften) {
  // 4000 seeds, 3 of 12 clients slow: each client's share is 1/4 within Hoeffding's bound, false-alarm rate 1e-6 in
  // all.
  constexpr int kSeeds = 4000, kClients = 12;
  LatencySettings settings = constant_settings();
  settings.delay_ms = {kTwoSpeed, 1.0, 0.25, 2.0};
  std::vector<int> slow(kClients, 0);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Profile profile = make_profile(kClients, settings, {}, static_cast<std::uint64_t>(seed));
    for (const std::int32_t k : clients_above(profile.delay_ns, 1000000)) ++slow[static_cast<std::size_t>(k)];
  }
  const double bound = std::sqrt(std::log(2.0 * kClients / 1e-6) / (2.0 * kSeeds));
  for (const int count : slow) EXPECT_NEAR(count / double{kSeeds}, 0.25, bound);
}

TEST(Profile, ZipfIsARankingOfTheClients) {
  LatencySettings settings = constant_settings();
  settings.delay_ms = {kZipf, 12.0, 1.0};
  std::vector<std::int64_t> delay = make_profile(6, settings, {}, 3).delay_ns;
  EXPECT_NE(delay, make_profile(6, settings, {}, 4).delay_ns);
  std::sort(delay.rbegin(), delay.rend());
  EXPECT_EQ(delay, (std::vector<std::int64_t>{12000000, 6000000, 4000000, 3000000, 2400000, 2000000}));
}

TEST(Profile, QuantitiesAndSeedsAreIndependent) {
  LatencySettings settings = constant_settings();
  settings.delay_ms = {kExponential, 1.0};
  settings.compute_ms = {kExponential, 1.0};
  settings.backward_ratio = 1.0;
  const Profile profile = make_profile(50, settings, {}, 1);
  std::set<std::int64_t> values(profile.delay_ns.begin(), profile.delay_ns.end());
  values.insert(profile.forward_ns.begin(), profile.forward_ns.end());
  const Profile other = make_profile(50, settings, {}, 2);
  values.insert(other.delay_ns.begin(), other.delay_ns.end());
  EXPECT_EQ(values.size(), 150u);
  EXPECT_EQ(profile.forward_ns, profile.backward_ns);
}

RC_GTEST_PROP(Profile, AddressedDrawsDoNotDependOnK, ()) {
  // A client's own draws stay the same when clients are added, except for the kinds that rank the clients.
  const auto clients = *rc::gen::inRange(1, 40), more = *rc::gen::inRange(0, 40);
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  LatencySettings settings;
  settings.delay_ms = *rc::gen::element(Distribution{kExponential, 1.0}, Distribution{kLognormal, 1.0, 0.7},
                                        Distribution{kUniform, 0.0, 1.0}, Distribution{kGamma, 1.0, 0.4},
                                        Distribution{kLomax, 1.0, 2.0, 50.0});
  Profile few = make_profile(clients, settings, {100, 100, 4, 0}, seed);
  Profile many = make_profile(clients + more, settings, {100, 100, 4, 0}, seed);
  many.delay_ns.resize(few.delay_ns.size());
  RC_ASSERT(few.delay_ns == many.delay_ns);
  // The fingerprint sees every entry.
  many = few;
  RC_ASSERT(few.sha256() == many.sha256());
  auto& values = **rc::gen::element(&many.delay_ns, &many.forward_ns, &many.backward_ns, &many.up_ns, &many.down_ns,
                                    &many.model_up_ns, &many.model_down_ns);
  values[*rc::gen::inRange<std::size_t>(0, values.size())] += 1;
  RC_ASSERT(few.sha256() != many.sha256());
}

TEST(Profile, BadSettingsAreNamed) {
  const auto message_of = [](const LatencySettings& settings) -> std::string {
    try {
      make_profile(4, settings, {100, 100, 4, 100}, 1);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const auto expect_key = [&](const std::string& key, auto change) {
    LatencySettings settings = constant_settings();
    change(settings);
    EXPECT_TRUE(message_of(settings).starts_with(key)) << key << ": " << message_of(settings);
  };
  expect_key("clock.delay_ms.value = nan", [](auto& s) { s.delay_ms.a = NAN; });
  expect_key("clock.compute_ms.value = -1", [](auto& s) { s.compute_ms.a = -1.0; });
  expect_key("clock.uplink_mbps.value = 0", [](auto& s) { s.uplink_mbps.a = 0.0; });
  expect_key("clock.downlink_mbps.value = inf", [](auto& s) { s.downlink_mbps.a = INFINITY; });
  expect_key("clock.backward_ratio = -2", [](auto& s) { s.backward_ratio = -2.0; });
  expect_key("clock.server_ms.fixed = nan", [](auto& s) { s.server_fixed_ms = NAN; });
  expect_key("clock.server_ms.per_sample = 1e+300", [](auto& s) { s.server_per_sample_ms = 1e300; });
  expect_key("clock.delay_ms: client 0", [](auto& s) { s.delay_ms.a = 1e12; });
  expect_key("clock.uplink_mbps: client 0", [](auto& s) { s.uplink_mbps.a = 1e-300; });
  expect_key("clock.trace_file", [](auto& s) { s.delay_ms.kind = kTrace; });
}

// ---- traces ----

const TraceColumns kAllColumns = {&Trace::compute_ms_per_sample, &Trace::up_mbps, &Trace::down_mbps, &Trace::delay_ms};

class TraceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ =
        (std::filesystem::temp_directory_path() /
         ("splitsim_trace_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".csv"))
            .string();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  std::string error_of(const std::string& text, std::int32_t clients = 2) {
    write(text);
    try {
      load_trace(path_, clients, kAllColumns);
    } catch (const InputError& error) {
      const std::string message = error.what();
      return message.starts_with(path_) ? message.substr(path_.size()) : message;
    }
    return "";
  }
  std::string path_;
};

constexpr const char* kHeader = "client,compute_ms_per_sample,up_mbps,down_mbps,delay_ms\n";

TEST_F(TraceTest, ReadsRowsInAnyOrderAndIgnoresFurtherClients) {
  write(
      "# measured on a bench\r\n"
      "delay_ms, client ,up_mbps,down_mbps,compute_ms_per_sample\r\n"
      "\r\n"
      "3.5,1,20,200,0.25\r\n"
      "  0 , 0 , 1e1 ,100 ,0.125\r\n"
      "9,7,1,1,1");
  const Trace trace = load_trace(path_, 2, kAllColumns);
  EXPECT_EQ(trace.delay_ms, (std::vector<double>{0.0, 3.5}));
  EXPECT_EQ(trace.up_mbps, (std::vector<double>{10.0, 20.0}));
  EXPECT_EQ(trace.down_mbps, (std::vector<double>{100.0, 200.0}));
  EXPECT_EQ(trace.compute_ms_per_sample, (std::vector<double>{0.125, 0.25}));

  // Each quantity takes its own column, and only if asked.
  LatencySettings settings = constant_settings();
  settings.trace_file = path_;
  settings.delay_ms = {kTrace};
  settings.uplink_mbps = {kTrace};
  const Profile profile = make_profile(2, settings, {1000, 1000, 0, 0}, 1);
  EXPECT_EQ(profile.delay_ns, (std::vector<std::int64_t>{0, 3500000}));
  EXPECT_EQ(profile.up_ns, (std::vector<std::int64_t>{800000, 400000}));
  EXPECT_EQ(profile.down_ns, (std::vector<std::int64_t>{20000, 20000}));
  EXPECT_EQ(profile.forward_ns, (std::vector<std::int64_t>{200000, 200000}));
}

TEST_F(TraceTest, HashIsOfTheValuesThatAreRead) {
  const std::string header = kHeader;
  const auto hash = [&](const std::string& text, void (*ask)(LatencySettings&)) {
    write(text);
    LatencySettings settings = constant_settings();
    settings.trace_file = path_;
    ask(settings);
    return make_profile(2, settings, {1000, 1000, 0, 0}, 1).trace_sha256;
  };
  const auto nothing = [](LatencySettings&) {};
  const auto delay = [](LatencySettings& s) { s.delay_ms = {kTrace}; };
  const auto uplink = [](LatencySettings& s) { s.uplink_mbps = {kTrace}; };
  const std::string right = hash(header + "0,1,2,3,4\n1,5,6,7,8\n", delay);
  EXPECT_EQ(right.size(), 64u);
  EXPECT_EQ(hash("delay_ms,up_mbps,down_mbps,compute_ms_per_sample,client\n 8.0,1,1,1,1\r\n4,1,1,1,0", delay), right);
  EXPECT_NE(hash(header + "0,1,2,3,4\n1,5,6,7,9\n", delay), right);
  EXPECT_NE(hash(header + "0,1,4,3,4\n1,5,8,7,8\n", uplink), right) << "the same numbers for another quantity";
  EXPECT_EQ(hash(header + "0,1,2,3,4\n1,5,6,7,8\n", nothing), "");
}

TEST_F(TraceTest, SpreadsheetsAndOtherSystems) {
  const auto reads = [&](const std::string& text) {
    write(text);
    const Trace trace = load_trace(path_, 2, {&Trace::up_mbps, &Trace::delay_ms});
    EXPECT_EQ(trace.up_mbps, (std::vector<double>{10.0, 20.0}));
    EXPECT_EQ(trace.delay_ms, (std::vector<double>{0.5, 3.0}));
    EXPECT_TRUE(trace.down_mbps.empty());
  };
  reads("client,up_mbps,delay_ms\n0,10,0.5\n1,20,3\n");  // what nothing reads need not be there
  reads(
      "\xEF\xBB\xBF"
      "client,up_mbps,delay_ms\r\n0,10,0.5\r\n1,20,3\r\n");
  reads("client,up_mbps,delay_ms\r0,10,0.5\r1,20,3");
  reads("\"client\", \"up_mbps\" ,\"delay_ms\"\n\"0\",\" 10 \",\"0.5\"\n 1 ,\t20,3");
  reads("# a comment, \"\n\n  \nup_mbps,delay_ms,client,down_mbps\n20,3,1,not read\n#\n10,0.5,0,\n");
  reads("client,up_mbps,delay_ms\n0,10,0.5" + std::string(1 << 20, ' ') + "\n1,20,3\n");
}

TEST_F(TraceTest, BytesThatAreNoTable) {
  const std::string header = kHeader;
  EXPECT_EQ(error_of(header + std::string("0,1,2\0,3,4\n", 11)),
            ":2: holds a NUL byte; allowed: text in UTF-8 (is this UTF-16?)");
  EXPECT_EQ(error_of(header + "0,\"1,2,3,4\n"), ":2: a quote that is not closed in its line");
  EXPECT_EQ(error_of(header + "0,1,2,3,4" + std::string(1 << 24, ' ') + "\n"),
            ":2: the line is too long: allowed are 2^24 - 1 characters");
  EXPECT_EQ(error_of("\xEF\xBB\xBF"),
            ": empty: must start with a line that names its columns, of client, "
            "compute_ms_per_sample, up_mbps, down_mbps, delay_ms, gflops");
  EXPECT_EQ(error_of("up_mbps,delay_ms\n1,1\n"), ":1: column \"client\" is missing");
}

TEST_F(TraceTest, RowsOfOtherClientsAreCountedInOneWarning) {
  write(std::string(kHeader) + "0,1,2,3,4\n5,1,2,3,4\n1,1,2,3,4\n2,1,2,3,4\n");
  ::testing::internal::CaptureStderr();
  load_trace(path_, 2, kAllColumns);
  load_trace(path_, 2, kAllColumns);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find("2 row(s) of clients beyond partition.clients = 2"), std::string::npos) << said;
}

TEST_F(TraceTest, ErrorsNameLineAndColumn) {
  const std::string header = kHeader;
  EXPECT_EQ(error_of(header + "0,1,2,3,4\n1,1,2,x3,4\n"), ":3: down_mbps = \"x3\": must be a finite number > 0");
  EXPECT_EQ(error_of(header + "0,1,0,3,4\n"), ":2: up_mbps = \"0\": must be a finite number > 0");
  EXPECT_EQ(error_of(header + "0,-1,1,3,4\n"), ":2: compute_ms_per_sample = \"-1\": must be a finite number >= 0");
  EXPECT_EQ(error_of(header + "0,nan,1,3,4\n"), ":2: compute_ms_per_sample = \"nan\": must be a finite number >= 0");
  EXPECT_EQ(error_of(header + "0,1,inf,3,4\n"), ":2: up_mbps = \"inf\": must be a finite number > 0");
  EXPECT_EQ(error_of(header + "0,1,1,3,1e999\n"), ":2: delay_ms = \"1e999\": must be a finite number >= 0");
  EXPECT_EQ(error_of(header + "0,1,,3,4\n"), ":2: up_mbps = \"\": must be a finite number > 0");
  EXPECT_EQ(error_of(header + "0,1, 2 2,3,4\n"), ":2: up_mbps = \"2 2\": must be a finite number > 0");
  EXPECT_EQ(error_of(header + "-1,1,1,3,4\n"), ":2: client = \"-1\": must be a client number >= 0");
  EXPECT_EQ(error_of(header + "0.5,1,1,3,4\n"), ":2: client = \"0.5\": must be a client number >= 0");
  EXPECT_EQ(error_of(header + "0,1,2,3\n"), ":2: fewer cells than columns");
  EXPECT_EQ(error_of(header + "0,1,2,3,4,5\n"), ":2: more cells than columns");
  EXPECT_EQ(error_of(header + "0,1,2,3,4\n\n0,1,2,3,4\n"), ":4: client 0 appears twice (first in line 2)");
  EXPECT_EQ(error_of("client,up_mbps,speed\n"),
            ":1: unknown column \"speed\": the columns are client, "
            "compute_ms_per_sample, up_mbps, down_mbps, delay_ms, gflops");
  EXPECT_EQ(error_of("client,client\n"), ":1: column \"client\" appears twice");
  EXPECT_EQ(error_of("client,up_mbps\n"),
            ":1: column \"compute_ms_per_sample\" is missing: clock.compute_ms.kind = \"trace\" reads it");
  EXPECT_EQ(error_of(header + "1,1,2,3,4\n"), ": no row for client 0: clients 0..1 must all be there");
  EXPECT_TRUE(error_of("").starts_with(": empty"));
  std::filesystem::remove(path_);
  EXPECT_THROW(load_trace(path_, 2, kAllColumns), InputError);
}

}  // namespace
}  // namespace splitsim
