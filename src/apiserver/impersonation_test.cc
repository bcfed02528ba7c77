#include "apiserver/impersonation.h"

#include <doctest/doctest.h>

#include <set>

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

// Permissions as "verb resource name", and everything that was asked.
struct Fixture {
  std::set<std::string> allowed;
  std::vector<std::string> asked;
  UserInfo user{.name = "ann", .uid = "", .groups = {"dev"}, .extra = {}};

  std::string act(const std::vector<std::pair<std::string, std::string>>& claims, UserInfo* became = nullptr) {
    net::Headers headers;
    for (const auto& [name, value] : claims) headers.add(concat("Impersonate-", name), value);
    RequestInfo request;
    request.isResource = true;
    request.verb = "list";
    request.resource = "pods";
    request.ns = "default";
    asked.clear();
    auto result = impersonate(user, headers, request, [&](const UserInfo&, const RequestInfo& info) -> std::optional<Verdict> {
      asked.push_back(concat(info.verb, " ", info.resource, info.subresource.empty() ? "" : "/", info.subresource, " ", info.name));
      return Verdict{allowed.contains(asked.back()) ? Decision::Allow : Decision::NoOpinion, ""};
    });
    REQUIRE(result.has_value());
    if (!result->ok()) return result->error().message();
    if (became) *became = **result;
    return "";
  }
};
using Asked = std::vector<std::string>;

TEST_CASE("a user: for this request, or for any") {
  Fixture f;
  CHECK(f.act({{"User", "bob"}}) ==
        R"(pods is forbidden: User "ann" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "default")");
  CHECK(f.asked == Asked{"impersonate-on:user-info:list pods ", "impersonate users bob"});
  f.allowed = {"impersonate-on:user-info:list pods "};
  CHECK(f.act({{"User", "bob"}}) ==
        R"(users.authentication.k8s.io "bob" is forbidden: User "ann" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope)");
  f.allowed.insert({"impersonate:user-info users bob", "impersonate:user-info groups g", "impersonate:user-info uids 7",
                    "impersonate:user-info userextras/acme.io/team x"});
  UserInfo bob;
  CHECK(f.act({{"User", "bob"}, {"Group", "g"}, {"Uid", "7"}, {"Extra-Acme.io%2fTeam", "x"}}, &bob) == "");
  CHECK(bob.groups == std::vector<std::string>{"g", "system:authenticated"});
  CHECK(bob.uid == "7");
  CHECK(bob.extra.at("acme.io/team") == std::vector<std::string>{"x"});
  CHECK(f.act({{"User", "bob"}, {"Group", "system:masters"}}).ends_with("impersonating the system:masters group is not allowed"));
  CHECK(f.act({{"User", "bob"}, {"Extra-Foo", "x"}}).find("extra.key: Invalid value: \"foo\": must be a domain-prefixed path") != std::string::npos);
  f.allowed = {"impersonate users bob", "impersonate groups system:masters"};
  CHECK(f.act({{"User", "bob"}, {"Group", "system:masters"}}) == "");  // the older verb allows it
}

TEST_CASE("service accounts and nodes have verbs of their own") {
  Fixture f;
  UserInfo became;
  f.allowed = {"impersonate-on:user-info:list pods ", "impersonate:user-info users system:serviceaccount:a:b", "impersonate:user-info users system:node:n1"};
  CHECK(f.act({{"User", "system:serviceaccount:a:b"}}).find("cannot impersonate-on:serviceaccount:list") != std::string::npos);
  CHECK(f.act({{"User", "system:node:n1"}}).find("cannot impersonate-on:arbitrary-node:list") != std::string::npos);
  f.allowed = {"impersonate-on:serviceaccount:list pods ", "impersonate:serviceaccount serviceaccounts b"};
  CHECK(f.act({{"User", "system:serviceaccount:a:b"}}, &became) == "");
  CHECK(became.groups == std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"});
  CHECK(f.act({{"User", "system:serviceaccount:a:b"}, {"Group", "g"}}) ==
        R"(serviceaccounts "b" is forbidden: User "ann" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "a")");
  f.allowed = {"impersonate-on:arbitrary-node:list pods ", "impersonate:arbitrary-node nodes n1"};
  CHECK(f.act({{"User", "system:node:n1"}}, &became) == "");
  CHECK(became.groups == std::vector<std::string>{"system:nodes", "system:authenticated"});
}

TEST_CASE("an agent may be the node it runs on") {
  Fixture f;
  f.user = {.name = "system:serviceaccount:kube-system:agent", .uid = "", .groups = {}, .extra = {{"authentication.kubernetes.io/node-name", {"n1"}}}};
  f.allowed = {"impersonate-on:associated-node:list pods ", "impersonate:associated-node nodes *"};
  CHECK(f.act({{"User", "system:node:n1"}}) == "");
  CHECK(f.act({{"User", "system:node:n2"}}).find("cannot impersonate-on:arbitrary-node:list") != std::string::npos);
  f.allowed = {"impersonate-on:associated-node:list pods "};
  CHECK(f.act({{"User", "system:node:n1"}}).starts_with(R"(nodes.authentication.k8s.io "*" is forbidden)"));
}

TEST_CASE("nobody is nobody, and who must wait is told so") {
  Fixture f;
  CHECK(f.act({{"Group", "g"}, {"Uid", "5"}, {"Extra-Foo", "x"}}) ==
        R"(requested &user.DefaultInfo{Name:"", UID:"5", Groups:[]string{"g"}, Extra:map[string][]string{"foo":[]string{"x"}}} without impersonating a user name)");
  UserInfo became;
  f.allowed = {"impersonate users system:anonymous", "impersonate users q", "impersonate groups system:unauthenticated"};
  CHECK(f.act({{"User", "system:anonymous"}}, &became) == "");
  CHECK(became.groups == std::vector<std::string>{"system:unauthenticated"});
  CHECK(f.act({{"User", "q"}, {"Group", "system:unauthenticated"}}, &became) == "");
  CHECK(became.groups == std::vector<std::string>{"system:unauthenticated"});
  net::Headers headers;
  headers.add("Impersonate-User", "bob");
  CHECK(asksToImpersonate(headers));
  CHECK_FALSE(impersonate(f.user, headers, {}, [](const UserInfo&, const RequestInfo&) { return std::optional<Verdict>(); }).has_value());
}

}  // namespace
}  // namespace skiff::apiserver
