// Groups of clients: every kind covers all clients, in sizes that differ by at most 1; files are taken as they are.
#include "samplers/population/groups.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/npy.hpp"
#include "tests/contexts.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

TEST(Groups, EveryKindSpreadsTheClientsEvenly) {
  for (const Grouping kind : {Grouping::kContiguous, Grouping::kRoundRobin, Grouping::kRandom}) {
    for (const std::int32_t clients : {1, 5, 12, 97}) {
      for (std::int32_t count = 1; count <= clients; count += 3) {
        const Groups groups = make_groups(kind, count, "", clients, 7);
        ASSERT_EQ(groups.count, count);
        const std::vector<std::int64_t> sizes = groups.sums(std::vector<std::int64_t>(groups.of.size(), 1));
        const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
        EXPECT_LE(*most - *least, 1) << name_of(kind) << " " << clients << " in " << count;
        EXPECT_EQ(groups.most_clients(), *most);
      }
    }
  }
}

TEST(Groups, KindsAreWhatTheirNamesSay) {
  EXPECT_EQ(make_groups(Grouping::kContiguous, 3, "", 7, 1).of, (std::vector<std::int32_t>{0, 0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(make_groups(Grouping::kRoundRobin, 3, "", 7, 1).of, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0}));
  const auto random = [](std::uint64_t seed) { return make_groups(Grouping::kRandom, 4, "", 40, seed).of; };
  EXPECT_EQ(random(3), random(3));
  EXPECT_NE(random(3), random(4));
  EXPECT_FALSE(std::is_sorted(random(3).begin(), random(3).end()));
}

TEST(Groups, FilesAreTakenAsTheyAre) {
  const test::TempDir dir;
  const std::string path = dir / "groups.npy";
  const auto of_file = [&](const std::vector<std::int32_t>& groups) {
    write_npy(path, NpyArray<std::int32_t>{{static_cast<std::int64_t>(groups.size())}, groups});
    return make_groups(Grouping::kFile, 9, path, 4, 1);
  };
  const Groups groups = of_file({2, 0, 2, 1});
  EXPECT_EQ(groups.of, (std::vector<std::int32_t>{2, 0, 2, 1}));
  EXPECT_EQ(groups.count, 3);
  EXPECT_EQ(groups.sums({5, 7, 11, 13}), (std::vector<std::int64_t>{7, 13, 16}));
  test::expect_input_error([&] { of_file({0, 1, 2}); }, path, "one per client");
  test::expect_input_error([&] { of_file({0, 2, 2, 0}); }, path, "group 1 has no client");
  test::expect_input_error([&] { of_file({0, -1, 1, 0}); }, path, "-1");
  test::expect_input_error([&] { make_groups(Grouping::kFile, 1, "", 4, 1); }, "clients.groups_file");
  test::expect_input_error([&] { make_groups(Grouping::kRandom, 5, "", 4, 1); }, "clients.groups = 5", "1 to 4");
}

}  // namespace
}  // namespace splitsim
