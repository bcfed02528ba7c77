#include "dns/zone.h"

#include "dns/test_util.h"

using namespace skiff;
using namespace skiff::dns;

namespace {

struct Fixture {
  FakeCluster cluster;
  CountingRng rng;
  Zone zone{cluster, nameOf("cluster.local"), Clock::real(), rng};

  std::string ask(std::string_view name, uint16_t type) {
    auto answer = zone.resolve({nameOf(name), type, kClassIn});
    if (!answer) return "(upstream)";
    std::string text = showSections(answer->rcode, answer->answers, answer->authority, answer->additional);
    return answer->chase ? concat(text, " -> ", answer->chase->text()) : text;
  }
};

constexpr char kNoData[] = "NOERROR [cluster.local. SOA]";
constexpr char kNotThere[] = "NXDOMAIN [cluster.local. SOA]";

}  // namespace

TEST_CASE("a service's name is its cluster IPs") {
  Fixture f;
  f.cluster.addService("default", "web", {"10.96.0.7"}, {{"http", "TCP", 80}, {"dns", "UDP", 53}});
  f.cluster.addService("app", "dual", {"10.96.0.8", "fd00:0:0::8"});
  CHECK(f.ask("web.default.svc.cluster.local", kA) == "NOERROR web.default.svc.cluster.local. A 10.96.0.7");
  CHECK(f.ask("WEB.Default.svc.CLUSTER.local", kA) == "NOERROR WEB.Default.svc.CLUSTER.local. A 10.96.0.7");
  CHECK(f.ask("web.default.svc.cluster.local", kAAAA) == kNoData);
  CHECK(f.ask("web.default.svc.cluster.local", kTXT) == kNoData);
  CHECK(f.ask("dual.app.svc.cluster.local", kAAAA) == "NOERROR dual.app.svc.cluster.local. AAAA fd00::8");
  CHECK(f.ask("web.app.svc.cluster.local", kA) == kNotThere);
  CHECK(f.ask("x.web.default.svc.cluster.local", kA) == kNotThere);
  CHECK(f.ask("a.b.c.d.web.default.svc.cluster.local", kA) == kNotThere);
}

TEST_CASE("SRV names a service's ports") {
  Fixture f;
  f.cluster.addService("default", "web", {"10.96.0.7"}, {{"http", "TCP", 80}, {"dns", "UDP", 53}});
  std::string base = "web.default.svc.cluster.local";
  std::string also = " + web.default.svc.cluster.local. A 10.96.0.7";
  CHECK(f.ask("_http._tcp." + base, kSRV) == "NOERROR _http._tcp." + base + ". SRV 0 100 80 " + base + "." + also);
  CHECK(f.ask("_DNS._udp." + base, kSRV) == "NOERROR _DNS._udp." + base + ". SRV 0 100 53 " + base + "." + also);
  CHECK(f.ask(base, kSRV) == "NOERROR " + base + ". SRV 0 100 53 " + base + ". | " + base + ". SRV 0 100 80 " + base + "." + also);
  CHECK(f.ask("_http._udp." + base, kSRV) == kNotThere);
  CHECK(f.ask("_none._tcp." + base, kSRV) == kNotThere);
  CHECK(f.ask("_http._tcp." + base, kA) == kNoData);
}

TEST_CASE("a headless service's name is its ready endpoints") {
  Fixture f;
  auto& service = f.cluster.addService("default", "db", {"None"}, {{"sql", "TCP", 5432}});
  f.cluster.addSlice("default", "db", {"10.0.0.1=db-0", "10.0.0.2", "!10.0.0.3=db-2"}, {{"sql", "TCP", 5432}});
  f.cluster.addSlice("default", "db", {"10.0.0.1=db-0"}, {{"admin", "TCP", 99}});  // the same one with another port
  std::string base = "db.default.svc.cluster.local";
  CHECK(f.ask(base, kA) == "NOERROR " + base + ". A 10.0.0.1 | " + base + ". A 10.0.0.2");
  CHECK(f.ask("db-0." + base, kA) == "NOERROR db-0." + base + ". A 10.0.0.1");
  CHECK(f.ask("10-0-0-2." + base, kA) == "NOERROR 10-0-0-2." + base + ". A 10.0.0.2");
  CHECK(f.ask("db-2." + base, kA) == kNotThere);
  CHECK(f.ask("db-0." + base, kAAAA) == kNoData);
  CHECK(f.ask("_sql._tcp." + base, kSRV) ==
        "NOERROR _sql._tcp." + base + ". SRV 0 100 5432 10-0-0-2." + base + ". | _sql._tcp." + base + ". SRV 0 100 5432 db-0." +
            base + ". + 10-0-0-2." + base + ". A 10.0.0.2 | db-0." + base + ". A 10.0.0.1");
  CHECK(f.ask("_admin._tcp." + base, kSRV) ==
        "NOERROR _admin._tcp." + base + ". SRV 0 100 99 db-0." + base + ". + db-0." + base + ". A 10.0.0.1");
  service.spec.publishNotReadyAddresses = true;
  CHECK(f.ask("db-2." + base, kA) == "NOERROR db-2." + base + ". A 10.0.0.3");
  f.cluster.slices.clear();
  CHECK(f.ask(base, kA) == kNotThere);  // the specification, 2.4.1: without ready endpoints
}

TEST_CASE("reverse names: cluster IPs and headless endpoints; others go upstream") {
  Fixture f;
  f.cluster.addService("default", "web", {"10.96.0.7"});
  f.cluster.addSlice("default", "web", {"10.0.0.9"});
  f.cluster.addService("default", "db", {"None"});
  f.cluster.addSlice("default", "db", {"10.0.0.1=db-0", "!10.0.0.3=db-2"});
  f.cluster.addService("app", "six", {"fd00::8"});
  CHECK(f.ask("7.0.96.10.in-addr.arpa", kPTR) == "NOERROR 7.0.96.10.in-addr.arpa. PTR web.default.svc.cluster.local.");
  CHECK(f.ask("1.0.0.10.in-addr.arpa", kPTR) == "NOERROR 1.0.0.10.in-addr.arpa. PTR db-0.db.default.svc.cluster.local.");
  CHECK(f.ask("3.0.0.10.in-addr.arpa", kPTR) == "(upstream)");
  CHECK(f.ask("9.0.0.10.in-addr.arpa", kPTR) == "(upstream)");
  CHECK(f.ask("10.in-addr.arpa", kPTR) == "(upstream)");
  CHECK(f.ask("7.0.96.10.in-addr.arpa", kA) == kNoData);
  std::string six = "8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
  CHECK(f.ask(six, kPTR) == "NOERROR " + six + ". PTR six.app.svc.cluster.local.");
}

TEST_CASE("pod names carry their address") {
  Fixture f;
  CHECK(f.ask("10-244-1-5.default.pod.cluster.local", kA) == "NOERROR 10-244-1-5.default.pod.cluster.local. A 10.244.1.5");
  CHECK(f.ask("fd00--5.default.pod.cluster.local", kAAAA) == "NOERROR fd00--5.default.pod.cluster.local. AAAA fd00::5");
  CHECK(f.ask("10-244-1-5.default.pod.cluster.local", kAAAA) == kNoData);
  CHECK(f.ask("10-244-1-5.nowhere.pod.cluster.local", kA) == kNotThere);
  CHECK(f.ask("10-244-1-500.default.pod.cluster.local", kA) == kNotThere);
  CHECK(f.ask("web.default.pod.cluster.local", kA) == kNotThere);
}

TEST_CASE("ExternalName is a CNAME, followed inside and handed on outside") {
  Fixture f;
  f.cluster.addService("default", "web", {"10.96.0.7"});
  auto& inside = f.cluster.addService("app", "inside", {});
  inside.spec.type = "ExternalName";
  inside.spec.externalName = "web.default.svc.cluster.local";
  auto& outside = f.cluster.addService("app", "outside", {});
  outside.spec.type = "ExternalName";
  outside.spec.externalName = "example.org";
  auto& loop = f.cluster.addService("app", "loop", {});
  loop.spec.type = "ExternalName";
  loop.spec.externalName = "loop.app.svc.cluster.local";
  CHECK(f.ask("inside.app.svc.cluster.local", kA) ==
        "NOERROR inside.app.svc.cluster.local. CNAME web.default.svc.cluster.local. | web.default.svc.cluster.local. A 10.96.0.7");
  CHECK(f.ask("outside.app.svc.cluster.local", kA) == "NOERROR outside.app.svc.cluster.local. CNAME example.org. -> example.org.");
  CHECK(f.ask("outside.app.svc.cluster.local", kCNAME) == "NOERROR outside.app.svc.cluster.local. CNAME example.org.");
  CHECK(f.ask("loop.app.svc.cluster.local", kA).starts_with("SERVFAIL"));
}

TEST_CASE("the zone itself") {
  Fixture f;
  CHECK(f.ask("cluster.local", kSOA) == "NOERROR cluster.local. SOA");
  CHECK(f.ask("cluster.local", kA) == kNoData);
  CHECK(f.ask("cluster.local", kNS) == "NOERROR cluster.local. NS ns.dns.cluster.local.");
  CHECK(f.ask("dns-version.cluster.local", kTXT) == "NOERROR dns-version.cluster.local. TXT 1.1.0");
  CHECK(f.ask("svc.cluster.local", kA) == kNoData);
  CHECK(f.ask("pod.cluster.local", kA) == kNoData);
  CHECK(f.ask("default.svc.cluster.local", kA) == kNoData);
  CHECK(f.ask("nowhere.svc.cluster.local", kA) == kNotThere);
  CHECK(f.ask("other.cluster.local", kA) == kNotThere);
  CHECK(f.ask("example.org", kA) == "(upstream)");
  CHECK(f.ask("notcluster.local", kA) == "(upstream)");
  f.cluster.addService("kube-system", "kube-dns", {"10.96.0.10"});
  CHECK(f.ask("ns.dns.cluster.local", kA) == "NOERROR ns.dns.cluster.local. A 10.96.0.10");
}
