// What the executables say about themselves: help, the commented configuration, completion, man pages; and where they
// may write, which is known before anything is computed.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/config/help.hpp"
#include "runtime/config/keys/keys.hpp"
#include "tests/drivers/process.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrograms[] = {"splitsim-run",    "splitsim-sample", "splitsim-retime", "splitsim-sweep",
                                     "splitsim-report", "splitsim-info",   "splitsim-bench"};

class AboutItself : public test::CommandLine {
 protected:
  // What a shell command prints; empty if it fails.
  std::string shell(const std::string& command) {
    const std::string file = in_folder("shell-out");
    const int status = std::system(("( " + command + " ) >" + file + " 2>&1").c_str());
    const std::string text = test::slurp(file);
    EXPECT_EQ(status, 0) << command << "\n" << text;
    return text;
  }
  static bool have(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(in_folder(name)) << text; }
  // What bash would offer for these words, the last one being completed.
  std::string offered(const std::string& program, const std::vector<std::string>& words) {
    write("completion.bash", execute(program, {"--completion", "bash"}).out);
    std::string list;
    for (const std::string& word : words) list += " '" + word + "'";
    std::string function = "_" + program;
    std::replace(function.begin(), function.end(), '-', '_');
    write("ask.bash", "source '" + in_folder("completion.bash") + "'\ncomplete -p " + program +
                          " >/dev/null || exit 1\n" + "COMP_WORDS=(" + program + list +
                          ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n" + function +
                          "\nprintf '%s|' \"${COMPREPLY[@]}\"\n");
    return shell("cd '" + in_folder("") + "' && bash --norc '" + in_folder("ask.bash") + "'");
  }
};

TEST_F(AboutItself, TheShortHelpFitsAScreen) {
  for (const char* program : kPrograms) {
    const auto help = execute(program, {"--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_LE(std::count(help.out.begin(), help.out.end(), '\n'), 64) << program;
    EXPECT_NE(help.out.find(program), std::string::npos);
  }
  const std::string run = execute("splitsim-run", {"--help"}).out;
  EXPECT_LE(std::count(run.begin(), run.end(), '\n'), 45);
  for (const HelpSection& section : help_sections()) EXPECT_NE(run.find(" " + section.name), std::string::npos);
  EXPECT_EQ(run.find("sampler.delta"), std::string::npos);
}

TEST_F(AboutItself, HelpComesInSections) {
  for (const char* program : {"splitsim-run", "splitsim-sample"}) {
    for (const HelpSection& section : help_sections()) {
      const auto help = execute(program, {"--help", section.name});
      EXPECT_EQ(help.exit_code, 0) << section.name;
      EXPECT_GT(help.out.size(), 150u) << section.name;
    }
    const std::string sampler = execute(program, {"--help", "sampler"}).out;
    EXPECT_NE(sampler.find("sampler.delta = 0.0"), std::string::npos);
    EXPECT_NE(sampler.find("only with sampler.kind = urn, lds"), std::string::npos);
    EXPECT_EQ(sampler.find("partition.alpha"), std::string::npos);
  }
  const auto wrong = execute("splitsim-run", {"--help", "smapler"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("did you mean sampler?"), std::string::npos) << wrong.err;
}

TEST_F(AboutItself, ThePrintedConfigurationIsTheConfiguration) {
  const auto printed = execute("splitsim-run", {"--print-config"});
  ASSERT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(to_toml(parse_config(printed.out, "", {})), to_toml(Config{}));
  for (const Key& key : config_keys()) {
    EXPECT_NE(printed.out.find(key.path.substr(key.path.find('.') + 1) + " = "), std::string::npos) << key.path;
  }
  write("e.toml", "[data]\nname = 'npy'\ndir = 'here'\n[sampler]\nkind = 'lds'\ndelta = 2\n");
  for (const char* program : {"splitsim-run", "splitsim-sample"}) {
    std::vector<std::string> arguments = {in_folder("e.toml"), "--print-config", "--set", "train.lr=0.5",
                                          "model.seed=3"};
    if (std::string(program) == "splitsim-sample") arguments.insert(arguments.end(), {"--samplers", "lds"});
    const auto mine = execute(program, arguments);
    ASSERT_EQ(mine.exit_code, 0) << mine.err;
    EXPECT_EQ(to_toml(parse_config(mine.out, "/elsewhere/x.toml", {})),
              to_toml(load_config(in_folder("e.toml"), {"train.lr=0.5", "model.seed=3"})));
    // Every comment has the meaning, and the keys that nothing reads are comments.
    EXPECT_NE(mine.out.find("\n# local_epochs = 1\n"), std::string::npos);
    EXPECT_NE(mine.out.find("\ndelta = 2.0\n"), std::string::npos);
  }
}

TEST_F(AboutItself, BashCompletes) {
  EXPECT_EQ(offered("splitsim-run", {"--dev"}), "--device|");
  EXPECT_EQ(offered("splitsim-run", {"--device", "c"}), "cpu|cuda|");
  EXPECT_EQ(offered("splitsim-run", {"--help", "dis"}), "distributions|");
  EXPECT_EQ(offered("splitsim-run", {"--set", "sampler.de"}),
            "sampler.delta=|sampler.delay_signal=|sampler.depletion=|");
  EXPECT_EQ(offered("splitsim-run", {"--set", "train.l"}), "train.loss=|train.label_smoothing=|train.lr=|");
  // Bash splits at "=", and --set takes several.
  EXPECT_EQ(offered("splitsim-run", {"--set", "sampler.kind", "=", "lb"}), "lb_greedy|lb_flow|lbpack|");
  EXPECT_EQ(offered("splitsim-run", {"--set", "seed", "=", "3", "sampler.kind", "=", "ur"}), "urn|");
  EXPECT_EQ(offered("splitsim-run", {"--set", "clock.delay_ms.kind", "=", "two"}), "two_speed|");
  fs::create_directories(in_folder("a folder"));
  write("a file.toml", "");
  EXPECT_EQ(offered("splitsim-run", {"--out", "a"}), "a folder|");
  EXPECT_EQ(offered("splitsim-run", {"a fi"}), "a file.toml|");
  EXPECT_EQ(offered("splitsim-info", {"--js"}), "--json|");
  EXPECT_EQ(offered("splitsim-report", {"--ta"}), "--target|");
  EXPECT_EQ(offered("splitsim-report", {"--csv", "a"}), "a folder|");
  for (const char* program : kPrograms)
    EXPECT_NE(offered(program, {"--"}).find("--help|"), std::string::npos) << program;
}

TEST_F(AboutItself, OtherShellsAcceptTheirScripts) {
  for (const char* name : {"zsh", "fish"}) {
    if (!have(name)) continue;
    for (const char* program : kPrograms) {
      write("script", execute(program, {"--completion", name}).out);
      shell(std::string(name) + " -n '" + in_folder("script") + "'");
    }
  }
  if (have("fish")) {
    write("script.fish", execute("splitsim-run", {"--completion", "fish"}).out);
    EXPECT_NE(shell("fish --no-config -c \"source '" + in_folder("script.fish") +
                    "'; complete -C 'splitsim-run --set sampler.kind=ur'\"")
                  .find("sampler.kind=urn"),
              std::string::npos);
  }
  const auto unknown = execute("splitsim-run", {"--completion", "tcsh"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("allowed: bash, zsh, fish"), std::string::npos) << unknown.err;
}

TEST_F(AboutItself, ManPagesRenderWithoutAWarning) {
  for (const char* program : kPrograms) {
    const auto page = execute(program, {"--man"});
    ASSERT_EQ(page.exit_code, 0);
    write("page.1", page.out);
    if (have("mandoc")) {
      EXPECT_EQ(shell("mandoc -T lint -W warning '" + in_folder("page.1") + "'"), "") << program;
    }
    if (have("groff")) {
      EXPECT_EQ(shell("groff -ww -man -T utf8 '" + in_folder("page.1") + "' 2>&1 >/dev/null"), "") << program;
    }
    for (const char* part : {".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"}) {
      EXPECT_NE(page.out.find(part), std::string::npos) << program << part;
    }
  }
  std::string page = execute("splitsim-run", {"--man"}).out;
  for (const Key& key : config_keys()) EXPECT_NE(page.find("\\fB" + key.path), std::string::npos) << key.path;
}

// Each before any data is read: data.dir leads nowhere, which would be the next error.
TEST_F(AboutItself, ResultsThatCouldNotBeWrittenAreRefusedAtOnce) {
  write("file", "");
  fs::create_directories(in_folder("run"));
  const std::vector<std::string> data = {"--set", "data.name=npy", "--set", "data.dir=" + in_folder("nowhere")};
  for (const char* program : {"splitsim-run", "splitsim-sample", "splitsim-retime"}) {
    for (const std::string& out : {in_folder("file"), in_folder("file/below/it"), in_folder(std::string(300, 'x'))}) {
      std::vector<std::string> arguments = {"--out", out};
      if (std::string(program) == "splitsim-retime") {
        arguments.insert(arguments.end(), {in_folder("run"), "--latency", in_folder("file")});
      } else {
        arguments.insert(arguments.end(), data.begin(), data.end());
      }
      const auto result = execute(program, arguments);
      EXPECT_EQ(result.exit_code, 2) << program << out;
      EXPECT_EQ(result.error_lines(), 1) << result.err;
      EXPECT_EQ(result.err.find("nowhere"), std::string::npos) << result.err;
      EXPECT_NE(result.err.find(out.substr(0, 200)), std::string::npos) << result.err;
    }
  }
  for (const char* option : {"--trace", "--save-schedule"}) {
    std::vector<std::string> arguments = {option, in_folder("none/x"), "--samplers", "ugs"};
    arguments.insert(arguments.end(), data.begin(), data.end());
    const auto result = execute("splitsim-sample", arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.err.find("nowhere"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(option), std::string::npos) << result.err;
  }
}

TEST_F(AboutItself, WarningsGoToStderr) {
  const auto result = execute("splitsim-sample", {"--device", "cpu", "--synthetic", "1000,10", "--samplers", "urn,fls",
                                                  "--set", "sampler.batch=16"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("warning: sampler.delta = 0.0: urn draws as ugs does\n"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("warning: sampler.batch = 16 for 32 clients"), std::string::npos) << result.err;
}

// An installed copy runs where it is, and finds nothing of the build.
TEST_F(AboutItself, TheInstalledProgramsRun) {
  const std::string build = fs::path(test::kBinDir).parent_path().string();
  shell("DESTDIR='" + in_folder("stage") + "' cmake --install '" + build + "' --prefix /opt/x --component splitsim");
  const std::string root = in_folder("stage/opt/x");
  for (const char* program : kPrograms) {
    const std::string path = root + "/bin/" + program;
    EXPECT_NE(shell("'" + path + "' --version").find(program), std::string::npos);
    EXPECT_NE(shell("'" + path + "' --help").find("--help"), std::string::npos);
    for (const std::string& page :
         {"man/man1/" + std::string(program) + ".1", "bash-completion/completions/" + std::string(program),
          "zsh/site-functions/_" + std::string(program),
          "fish/vendor_completions.d/" + std::string(program) + ".fish"}) {
      EXPECT_TRUE(fs::exists(root + "/share/" + page)) << page;
    }
  }
  EXPECT_TRUE(fs::exists(root + "/share/splitsim/experiments/fashion_mnist_severe.toml"));
  EXPECT_TRUE(fs::exists(root + "/share/doc/splitsim/README.md"));
  for (const auto& entry : fs::directory_iterator(root + "/bin")) {
    EXPECT_EQ(entry.path().filename().string().find("test_"), std::string::npos) << entry.path();
  }
  EXPECT_EQ(
      shell("'" + root + "/bin/splitsim-run' --dry-run --device cpu --set partition.kind=iid | head -n 1").find("data"),
      0u);
}

// Rows and heads of tables fit a terminal; sentences may wrap.
TEST_F(AboutItself, TablesFitEightyColumns) {
  const std::string run = in_folder("run"), latency = in_folder("same.toml");
  std::ofstream(latency) << "[clock]\n";
  const auto table_lines = [](const std::string& out, const std::string& head) {
    std::vector<std::string> lines;
    std::istringstream stream(out.substr(std::min(out.find(head), out.size())));
    for (std::string line; std::getline(stream, line) && !line.empty();) lines.push_back(line);
    return lines;
  };
  const auto expect_narrow = [&](const std::string& out, const std::string& head, std::size_t least) {
    const auto lines = table_lines(out, head);
    EXPECT_GE(lines.size(), least) << out;
    for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  };
  expect_narrow(execute("splitsim-run", {"--device", "cpu", "--set", "train.epochs=2", "--set", "sampler.batch=1000",
                                         "--out", run})
                    .out,
                "epoch ", 3);
  const std::string sampled =
      execute("splitsim-sample", {"--device", "cpu", "--samplers", "ugs,fls,lds:delta=1"}).out;
  expect_narrow(sampled, "sampler  ", 4);
  expect_narrow(sampled.substr(sampled.find("total s")), "ugs ", 3);
  const std::string retimed = execute("splitsim-retime", {run, "--latency", latency, "--device", "cpu"}).out;
  expect_narrow(retimed, "epoch ", 3);
  expect_narrow(retimed, "    accuracy", 5);
}

}  // namespace
}  // namespace splitsim
