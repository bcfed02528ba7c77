#include "apiserver/link_rewriter.h"

#include <doctest/doctest.h>

using skiff::apiserver::LinkRewriter;

TEST_CASE("links to the backend's root lead below the proxy's path") {
  LinkRewriter links("10.0.0.1:80", "/p/proxy");
  CHECK(links.url("/a?b#c") == "/p/proxy/a?b#c");
  CHECK(links.url("http://10.0.0.1:80/a") == "/p/proxy/a");
  CHECK(links.url("/p/proxy/a") == "/p/proxy/a");
  CHECK(links.url("a/b") == "a/b");
  CHECK(links.url("https://elsewhere/a") == "https://elsewhere/a");
  CHECK(links.url("//elsewhere/a") == "//elsewhere/a");
  CHECK(links.url("") == "");
}

TEST_CASE("only the values of URL attributes change in a page") {
  LinkRewriter links("h", "/p");
  CHECK(links.page(R"(<a href="/rewriteme">test</a>)") == R"(<a href="/p/rewriteme">test</a>)");
  CHECK(links.page("<IMG alt=/x SRC = '/i.png'/><br>") == "<IMG alt=/x SRC = '/p/i.png'/><br>");
  CHECK(links.page("<form action=/go>/text < / </form>") == "<form action=/p/go>/text < / </form>");
  CHECK(links.page("<!-- <a href=\"/x\"> --><script>'<a href=\"/x\">'</script>") ==
        "<!-- <a href=\"/x\"> --><script>'<a href=\"/x\">'</script>");
}

TEST_CASE("broken pages come out as they were") {
  LinkRewriter links("h", "/p");
  for (const char* text : {"<", "<a", "<a href", "<a href=", "<!--", "<script>", "<a b=\"", "</", "<a / = >", ""})
    CHECK(links.page(text) == text);
}
