// Data sets of picture files, made with the libraries' writers.
#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runtime/data/image_file.hpp"
#include "runtime/data/loaders.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;
using Bytes = std::vector<std::uint8_t>;

void write_png(const std::string& path, std::uint32_t width, std::uint32_t height, std::uint32_t format,
               const Bytes& pixels) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  ASSERT_NE(png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr), 0) << image.message;
}

void write_jpeg(const std::string& path, int width, int height, int format, const Bytes& pixels) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  tjhandle handle = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  ASSERT_EQ(tjCompress2(handle, pixels.data(), width, 0, height, format, &out, &size,
                        format == TJPF_GRAY ? TJSAMP_GRAY : TJSAMP_444, 100, TJFLAG_ACCURATEDCT),
            0);
  spill(path, {reinterpret_cast<const char*>(out), size});
  tjFree(out);
  tjDestroy(handle);
}

const Bytes kColour = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // two pixels wide, two high
const Bytes kGrey = {50, 60, 70, 80};

struct Folder {
  TempDir dir;
  Folder() {
    write_png(dir / "train/cat/b.png", 2, 2, PNG_FORMAT_RGB, kColour);
    write_png(dir / "train/cat/a.png", 2, 2, PNG_FORMAT_GRAY, kGrey);
    write_png(dir / "train/ant/z.PNG", 2, 2, PNG_FORMAT_GRAY, {9, 8, 7, 6});
    write_png(dir / "test/cat/0.png", 2, 2, PNG_FORMAT_RGB, kColour);
    spill(dir / "train/cat/.hidden", "x");
  }
  Dataset load() const { return test::load("folder", dir.path()); }
};

TEST(Folder, ClassesAndPicturesInTheOrderOfTheirNames) {
  const Folder files;
  const Dataset set = files.load();
  EXPECT_EQ(set.kind, SampleKind::kImages);
  EXPECT_EQ(set.type, FeatureType::kUint8);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width, set.classes}), (std::vector{3, 2, 2, 2}));
  EXPECT_EQ(set.train_labels, (std::vector{0, 1, 1}));
  EXPECT_EQ(set.test_labels, (std::vector{1}));
  EXPECT_EQ(set.train_features, (Bytes{9,  8,  7,  6,  9,  8,  7,  6,  9,  8,  7,  6,  // grey: three alike
                                       50, 60, 70, 80, 50, 60, 70, 80, 50, 60, 70, 80,  //
                                       1,  4,  7,  10, 2,  5,  8,  11, 3,  6,  9,  12}));
}

TEST(Folder, GreyIfAllAreGrey) {
  const Folder files;
  write_png(files.dir / "train/cat/b.png", 2, 2, PNG_FORMAT_GRAY, kGrey);
  write_jpeg(files.dir / "test/cat/1.jpg", 2, 2, TJPF_GRAY, {128, 128, 128, 128});
  std::filesystem::remove(files.dir / "test/cat/0.png");
  const Dataset set = files.load();
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.train_features, (Bytes{9, 8, 7, 6, 50, 60, 70, 80, 50, 60, 70, 80}));
  EXPECT_EQ(set.test_features, (Bytes{128, 128, 128, 128}));
}

TEST(Folder, JpegIsNearWhatWasWritten) {
  const Folder files;
  Bytes pixels;
  for (int i = 0; i < 16 * 16; ++i) {
    for (const int v : {40 + i / 16 * 10, 200 - i % 16 * 8, 100}) pixels.push_back(static_cast<std::uint8_t>(v));
  }
  write_jpeg(files.dir / "smooth.jpeg", 16, 16, TJPF_RGB, pixels);
  const ImageFile file(files.dir / "smooth.jpeg");
  EXPECT_EQ(file.height(), 16);
  EXPECT_TRUE(file.has_colour());
  Bytes planes(pixels.size());
  file.decode(3, planes.data());
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < 256; ++i) ASSERT_NEAR(planes[c * 256 + i], pixels[i * 3 + c], 3) << c << " " << i;
  }
}

TEST(Folder, TransparentPixelsAreLaidOnBlack) {
  const Folder files;
  write_png(files.dir / "clear.png", 2, 1, PNG_FORMAT_RGBA, {200, 100, 50, 0, 200, 100, 50, 255});
  Bytes planes(6);
  ImageFile(files.dir / "clear.png").decode(3, planes.data());
  EXPECT_EQ(planes, (Bytes{0, 200, 0, 100, 0, 50}));
}

TEST(Folder, Mistakes) {
  const auto refused = [](const std::function<void(const Folder&)>& damage, const auto&... parts) {
    const Folder files;
    damage(files);
    expect_input_error([&] { files.load(); }, parts...);
  };
  namespace fs = std::filesystem;
  refused([](const Folder& f) { fs::remove_all(f.dir / "test"); }, "folder 'test' is missing", "train/CLASS");
  refused([](const Folder& f) { write_png(f.dir / "test/dog/1.png", 2, 2, PNG_FORMAT_GRAY, kGrey); },
          "test/dog' is a class that the training part lacks");
  refused([](const Folder& f) { write_png(f.dir / "test/cat/1.png", 4, 1, PNG_FORMAT_GRAY, kGrey); },
          "test/cat/1.png' is 1 x 4 pixels", "z.PNG' is 2 x 2", "one size");
  refused([](const Folder& f) { spill(f.dir / "train/ant/notes.txt", "x"); }, "notes.txt'", "allowed: files .png");
  refused([](const Folder& f) { spill(f.dir / "train/notes.txt", "x"); }, "notes.txt' is not a folder");
  refused([](const Folder& f) { spill(f.dir / "train/ant/a.png", "no picture"); }, "a.png' is neither PNG nor JPEG");
  refused([](const Folder& f) { fs::remove(f.dir / "test/cat/0.png"); }, "test' has no pictures");
  refused([](const Folder& f) {
    const std::string png = slurp(f.dir / "train/ant/z.PNG");
    spill(f.dir / "train/ant/z.PNG", png.substr(0, png.size() - 20));
  }, "z.PNG' is damaged");
  refused([](const Folder& f) {
    write_jpeg(f.dir / "train/ant/y.jpg", 2, 2, TJPF_RGB, kColour);
    const std::string jpeg = slurp(f.dir / "train/ant/y.jpg");
    spill(f.dir / "train/ant/y.jpg", jpeg.substr(0, jpeg.size() - 8));
  }, "y.jpg' is damaged");
}

}  // namespace
}  // namespace splitsim
