// The parsers of /proc over samples of a real machine (Linux 6.18), and over rubbish.
#include "cli/agent/procfs.hpp"

#include <gtest/gtest.h>

namespace arca::cli::agent::procfs {
namespace {

constexpr std::string_view stat_sample =
    "cpu  14490 7 4299 277619 431 3 80 35 11 0\n"
    "cpu0 6615 0 1782 140076 29 0 10 14 0 0\n"
    "cpu1 7875 0 2516 137543 402 0 70 21 0 0\n"
    "intr 423378 0 0 1 1 13 0\nctxt 721048\nbtime 1795458311\nprocesses 12455\nprocs_running 6\n";

TEST(Procfs, StatGivesTheTimesOfEachProcessorAndOfAll) {
  const auto stat = parse_stat(stat_sample);
  ASSERT_TRUE(stat);
  ASSERT_EQ(stat->cpus.size(), 2u);
  EXPECT_EQ(stat->cpus[1].logical_number, 1);
  EXPECT_EQ(stat->cpus[1].iowait, 402u);
  EXPECT_EQ(stat->all.interrupt, 83u) << "hard and soft interrupts together";
  EXPECT_EQ(stat->all.total(), 14490u + 7 + 4299 + 277619 + 431 + 83 + 35) << "guests stand in user already";
  EXPECT_EQ(stat->boot_time_seconds, 1795458311u);
  EXPECT_EQ(stat->processes_created, 12455u);
}

TEST(Procfs, StatOfAnOldKernelWithFewColumnsStillParses) {
  const auto stat = parse_stat("cpu 1 2 3 4\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->all.total(), 10u);
}

TEST(Procfs, StatWithoutTheTotalGivesNothing) {
  EXPECT_FALSE(parse_stat(""));
  EXPECT_FALSE(parse_stat("cpu0 1 2 3 4\n"));
  EXPECT_FALSE(parse_stat("cpu  a b c d\n"));
  EXPECT_FALSE(parse_stat("cpu  99999999999999999999999 1 1 1\n"));
}

TEST(Procfs, MeminfoIsInBytesAndUsedIsWhatIsLeft) {
  const auto memory = parse_meminfo(
      "MemTotal:       24684084 kB\nMemFree:        22813340 kB\nMemAvailable:   24033672 kB\n"
      "Buffers:           21112 kB\nCached:          1334172 kB\nSwapCached:            0 kB\n"
      "SwapTotal:          4096 kB\nSwapFree:           1024 kB\nShmem:              8872 kB\n"
      "SReclaimable:     165012 kB\nSUnreclaim:        29316 kB\nHugePages_Total:       0\n");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->total, 24684084ull * 1024);
  EXPECT_EQ(memory->available, 24033672ull * 1024);
  EXPECT_EQ(memory->used(), (24684084u - 22813340 - 21112 - 1334172 - 165012) * 1024);
  EXPECT_EQ(memory->swap_free, 1024u * 1024);
}

TEST(Procfs, MeminfoWithoutATotalGivesNothing) {
  EXPECT_FALSE(parse_meminfo("MemFree: 1 kB\n"));
  EXPECT_FALSE(parse_meminfo("MemTotal: much\n"));
}

TEST(Procfs, VmstatSplitsFaultsIntoMinorAndMajor) {
  const auto paging = parse_vmstat("nr_free_pages 5703335\npswpin 3\npswpout 4\npgfault 8086631\npgmajfault 1426\n");
  ASSERT_TRUE(paging);
  EXPECT_EQ(paging->faults_minor(), 8086631u - 1426);
  EXPECT_EQ(paging->pages_out, 4u);
}

TEST(Procfs, DiskstatsLeavesIdleDevicesOut) {
  const auto disks = parse_diskstats(
      "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
      " 254       0 vda 60210 12359 3141722 12369 19359 40889 3216848 9366 0 7836 22310 5899 21 396576 482 1701 91\n"
      "rubbish\n 254 1\n 254 2 vdb 1 2 3\n");
  ASSERT_EQ(disks.size(), 1u);
  EXPECT_EQ(disks[0].name, "vda");
  EXPECT_EQ(disks[0].bytes_read, 3141722u * 512);
  EXPECT_EQ(disks[0].writes, 19359u);
  EXPECT_EQ(disks[0].io_ms, 7836u);
}

TEST(Procfs, NetDevReadsNamesWithColonsAndWithoutBlanks) {
  const auto interfaces = parse_net_dev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
      "carrier\n"
      "    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0 "
      "0\n"
      "eth0:1:227690126   13683    1    2    0     0          0         0  1008648    9398    3    4    0     0   0 "
      "0\n");
  ASSERT_EQ(interfaces.size(), 2u);
  EXPECT_EQ(interfaces[1].name, "eth0:1");
  EXPECT_EQ(interfaces[1].bytes_received, 227690126u);
  EXPECT_EQ(interfaces[1].errors_received, 1u);
  EXPECT_EQ(interfaces[1].dropped_sent, 4u);
}

TEST(Procfs, MountsUnescapesBlanksInPaths) {
  const auto mounts = parse_mounts("/dev/vda / ext4 rw,relatime 0 0\n/dev/sdb /mnt/my\\040disk xfs ro 0 0\nnone\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_FALSE(mounts[0].read_only);
  EXPECT_EQ(mounts[1].mountpoint, "/mnt/my disk");
  EXPECT_TRUE(mounts[1].read_only);
}

TEST(Procfs, UptimeIsTheFirstNumber) {
  EXPECT_DOUBLE_EQ(parse_uptime("1487.78 2776.19\n").value_or(0), 1487.78);
  EXPECT_FALSE(parse_uptime(""));
  EXPECT_FALSE(parse_uptime("inf 1"));
}

constexpr std::string_view process_sample =
    "12460 (my (odd) name) R 12450 12450 4436 0 -1 4194304 104 5 6 7 150 50 0 0 20 0 3 0 148778 3133440 394 "
    "18446744073709551615 93997778079744 93997778099625 140723270675072 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n";

TEST(Procfs, ProcessStatReadsANameWithBracketsAndBlanks) {
  const auto stat = parse_process_stat(process_sample);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 12460);
  EXPECT_EQ(stat->name, "my (odd) name");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->faults_minor, 104u);
  EXPECT_EQ(stat->faults_major, 6u);
  EXPECT_EQ(stat->user_ticks, 150u);
  EXPECT_EQ(stat->system_ticks, 50u);
  EXPECT_EQ(stat->threads, 3u);
  EXPECT_EQ(stat->start_ticks, 148778u);
  EXPECT_EQ(stat->virtual_bytes, 3133440u);
  EXPECT_EQ(stat->resident_pages, 394u);
}

TEST(Procfs, ProcessStatCutAtAnyByteNeverGivesAWrongProcess) {
  for (std::size_t length = 0; length < process_sample.size(); ++length) {
    const auto stat = parse_process_stat(process_sample.substr(0, length));
    EXPECT_EQ(stat ? stat->pid : 12460, 12460) << length;
  }
  EXPECT_FALSE(parse_process_stat(") ("));
}

TEST(Procfs, ProcessStatusAndIoGiveTheirCounts) {
  const auto switches =
      parse_process_status("Name:\tcat\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n");
  ASSERT_TRUE(switches);
  EXPECT_EQ(switches->voluntary, 12u);
  EXPECT_EQ(switches->involuntary, 3u);
  const auto io = parse_process_io("rchar: 8686\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n");
  ASSERT_TRUE(io);
  EXPECT_EQ(io->bytes_read, 4096u);
  EXPECT_EQ(io->bytes_written, 8192u);
  EXPECT_FALSE(parse_process_status("Name: x\n"));
  EXPECT_FALSE(parse_process_io(""));
}

TEST(Procfs, CmdlineHasBlanksWhereZeroBytesWere) {
  EXPECT_EQ(parse_cmdline(std::string_view("java\0-jar\0a b.jar\0", 18)), "java -jar a b.jar");
  EXPECT_EQ(parse_cmdline(""), "");
}

}  // namespace
}  // namespace arca::cli::agent::procfs
