#include "dns/responder.h"

#include <algorithm>
#include <cctype>

namespace skiff::dns {
namespace {

constexpr uint16_t kUdpBytes = 1232;
constexpr size_t kPlainUdpBytes = 512;  // RFC 1035: without EDNS

size_t limitOf(const Message& request, Responder::Carrier carrier) {
  if (carrier == Responder::Carrier::Tcp) return kMaxTcpBytes;
  if (!request.edns) return kPlainUdpBytes;
  return std::clamp<size_t>(request.edns->udpSize, kPlainUdpBytes, kUdpBytes);
}

Message replyTo(const Message& request, uint16_t rcode) {
  Message reply;
  reply.id = request.id;
  reply.response = true;
  reply.opcode = request.opcode;
  reply.recursionDesired = request.recursionDesired;
  reply.recursionAvailable = true;
  reply.checkingDisabled = request.checkingDisabled;
  reply.rcode = rcode;
  reply.questions = request.questions;
  if (request.edns) reply.edns = Edns{.udpSize = kUdpBytes, .dnssecOk = request.edns->dnssecOk};
  return reply;
}

std::string refusal(const Message& request, Responder::Carrier carrier, uint16_t rcode) {
  return encodeMessage(replyTo(request, rcode), limitOf(request, carrier));
}

// A packet that cannot be read: the id is all we know of it.
std::string formatError(std::string_view packet) {
  Message request;
  request.id = static_cast<uint16_t>(static_cast<unsigned char>(packet[0]) << 8 | static_cast<unsigned char>(packet[1]));
  return refusal(request, Responder::Carrier::Udp, kFormErr);
}

// What is wrong with the request itself; kNoError: nothing.
uint16_t faultOf(const Message& request) {
  if (request.opcode != 0) return kNotImp;
  if (request.questions.size() != 1) return kFormErr;
  if (request.edns && request.edns->version != 0) return kBadVers;
  const Question& question = request.questions.front();
  if (question.type == kAXFR || question.type == kIXFR) return kRefused;
  if (question.cls != kClassIn) return kRefused;
  return kNoError;
}

std::string encodeForwarded(const Message& request, Responder::Carrier carrier, const Message& upstream) {
  Message reply = replyTo(request, upstream.rcode);
  reply.truncated = false;
  reply.authenticData = upstream.authenticData;
  reply.answers = upstream.answers;
  reply.authority = upstream.authority;
  reply.additional = upstream.additional;
  if (!reply.edns) reply.rcode = std::min<uint16_t>(reply.rcode, 15);
  return encodeMessage(reply, limitOf(request, carrier));
}

}  // namespace

void Responder::handle(std::string_view packet, Carrier carrier, Reply reply) const {
  // Answering an answer could go on for ever between two servers.
  bool isResponse = packet.size() >= kHeaderBytes && (static_cast<unsigned char>(packet[2]) & 0x80) != 0;
  if (packet.size() < kHeaderBytes || isResponse) return reply({});
  std::optional<Message> request = decodeMessage(packet);
  if (!request) return reply(formatError(packet));
  request->answers.clear();
  request->authority.clear();
  request->additional.clear();
  request->rcode = kNoError;
  if (uint16_t fault = faultOf(*request); fault != kNoError) return reply(refusal(*request, carrier, fault));

  Query query{std::move(*request), carrier};
  const Question& question = query.request.questions.front();
  std::optional<Answer> answer;
  if (cluster_.ready()) {
    answer = zone_.resolve(question);
  } else if (question.name.isUnder(zone_.domain())) {
    // Not knowing is no reason to deny: the client asks again.
    return reply(refusal(query.request, carrier, kServFail));
  }
  if (!answer) return forward(std::move(query), std::move(reply));
  if (answer->chase) return chase(std::move(query), std::move(*answer), std::move(reply));
  answerLocal(query, std::move(*answer), std::move(reply));
}

void Responder::answerLocal(const Query& query, Answer answer, Reply reply) const {
  Message message = replyTo(query.request, answer.rcode);
  message.authoritative = true;
  message.answers = std::move(answer.answers);
  message.authority = std::move(answer.authority);
  message.additional = std::move(answer.additional);
  reply(encodeMessage(message, limitOf(query.request, query.carrier)));
}

void Responder::forward(Query query, Reply reply) const {
  if (auto known = upstream_.cached(query.request)) return reply(encodeForwarded(query.request, query.carrier, *known));
  // Shared, since a refused task takes what it holds with it.
  auto held = std::make_shared<std::pair<Query, Reply>>(std::move(query), std::move(reply));
  bool taken = offload([this, held] {
    auto& [asked, answerTo] = *held;
    auto result = upstream_.resolve(asked.request);
    answerTo(result.ok() ? encodeForwarded(asked.request, asked.carrier, *result)
                         : refusal(asked.request, asked.carrier, kServFail));
  });
  if (!taken) held->second(refusal(held->first.request, held->first.carrier, kServFail));
}

// Our CNAME leads outside: the rest of the answer is upstream's.
void Responder::chase(Query query, Answer answer, Reply reply) const {
  struct Held {
    Query query;
    Answer answer;
    Reply reply;
  };
  auto held = std::make_shared<Held>(Held{std::move(query), std::move(answer), std::move(reply)});
  bool taken = offload([this, held] {
    Message outside = held->query.request;
    outside.questions.front().name = *held->answer.chase;
    auto known = upstream_.cached(outside);
    auto result = known ? Result<Message>(std::move(*known)) : upstream_.resolve(outside);
    Answer& whole = held->answer;
    whole.rcode = result.ok() ? result->rcode : uint16_t{kServFail};
    if (result.ok()) {
      whole.answers.insert(whole.answers.end(), result->answers.begin(), result->answers.end());
      whole.authority = result->authority;
    }
    if (!held->query.request.edns) whole.rcode = std::min<uint16_t>(whole.rcode, 15);
    answerLocal(held->query, std::move(whole), std::move(held->reply));
  });
  if (!taken) held->reply(refusal(held->query.request, held->query.carrier, kServFail));
}

}  // namespace skiff::dns
