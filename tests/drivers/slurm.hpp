// A Slurm of its own for a test: munged, slurmctld and slurmd of this machine, which end with the test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "runtime/sweep/child_process.hpp"
#include "tests/drivers/process.hpp"

namespace splitsim::test {

class LocalSlurm {
 public:
  /// `dir`: for its files. why_not() is empty if it came up.
  explicit LocalSlurm(const std::string& dir) : dir_(dir) { why_not_ = start(); }
  ~LocalSlurm() {
    if (!slurmd_) return;
    shell("scancel --me");
    shell("for i in $(seq 50); do [ -z \"$(squeue -h)\" ] && break; sleep 0.1; done");
    ::unsetenv("SLURM_CONF");
  }
  const std::string& why_not() const { return why_not_; }

  /// The first line that a command of the shell prints.
  std::string shell(const std::string& command) const {
    FILE* pipe = popen(("PATH=$PATH:/usr/sbin:/sbin; " + command + " 2>" + dir_ + "/shell.err").c_str(), "r");
    std::string text;
    for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF && c != '\n';) text += static_cast<char>(c);
    if (pipe != nullptr) {
      while (std::fgetc(pipe) != EOF) {
      }
      pclose(pipe);
    }
    return text;
  }

 private:
  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
  }
  std::unique_ptr<ChildProcess> daemon(const std::string& program, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), shell("command -v " + program));
    return std::make_unique<ChildProcess>(Command{arguments, {}, dir_ + "/" + program + ".out"});
  }
  static bool wait_for(const std::function<bool()>& ready) {
    for (int i = 0; i < 200 && !ready(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return ready();
  }

  std::string start() {
    std::filesystem::create_directories(dir_);
    if (::geteuid() != 0) return "slurmd needs root";
    for (const char* program : {"munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel"}) {
      if (shell(std::string("command -v ") + program).empty()) {
        return std::string("no ") + program + " (Debian: slurmctld slurmd slurm-client munge)";
      }
    }
    for (const char* folder : {"state", "spool", "munge"}) std::filesystem::create_directories(dir_ + "/" + folder);
    const std::string host = shell("hostname -s"), socket = dir_ + "/munge/socket";
    std::ofstream(dir_ + "/munge/key") << std::string(1024, 'k');
    std::filesystem::permissions(dir_ + "/munge/key", std::filesystem::perms::owner_read);
    // No control groups and no accounting, so that it comes up in a container.
    std::ofstream(dir_ + "/slurm.conf")
        << "ClusterName=test\nSlurmctldHost=" << host << "(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n"
        << "AuthType=auth/munge\nAuthInfo=socket=" << socket << "\nStateSaveLocation=" << dir_ << "/state\n"
        << "SlurmdSpoolDir=" << dir_ << "/spool\nSlurmctldPidFile=" << dir_ << "/ctld.pid\nSlurmdPidFile=" << dir_
        << "/d.pid\nSlurmctldLogFile=" << dir_ << "/ctld.log\nSlurmdLogFile=" << dir_
        << "/d.log\nSlurmctldPort=" << free_port() << "\nSlurmdPort=" << free_port()
        << "\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n"
        << "SelectTypeParameters=CR_CPU\nMpiDefault=none\nReturnToService=2\nKillWait=2\n"
        << "SchedulerParameters=sched_min_interval=50000\nSlurmdParameters=config_overrides\nNodeName=" << host
        << " NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN\nPartitionName=all Nodes=" << host << " Default=YES State=UP\n";
    ::setenv("SLURM_CONF", (dir_ + "/slurm.conf").c_str(), 1);
    munged_ = daemon("munged", {"--foreground", "--force", "--key-file=" + dir_ + "/munge/key", "--socket=" + socket,
                                "--pid-file=" + dir_ + "/munge/pid", "--log-file=" + dir_ + "/munge/log",
                                "--seed-file=" + dir_ + "/munge/seed"});
    if (!wait_for([&] { return std::filesystem::exists(socket); })) return "munged does not start";
    slurmctld_ = daemon("slurmctld", {"-D", "-c"});
    slurmd_ = daemon("slurmd", {"-D", "-c"});
    if (!wait_for([&] { return shell("sinfo -h -o %T") == "idle"; })) {
      return "slurmctld and slurmd do not come up: " + shell("tail -n 1 " + dir_ + "/ctld.log");
    }
    return "";
  }

  std::string dir_, why_not_;
  std::unique_ptr<ChildProcess> munged_, slurmctld_, slurmd_;  // the last ones end first
};

}  // namespace splitsim::test
