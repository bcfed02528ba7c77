// A list threaded through seats: nothing is allocated for a request that enters or leaves.
#pragma once

namespace skiff::apiserver::flow {

template <class Node, Node* Node::*Previous, Node* Node::*Next>
class IntrusiveList {
 public:
  bool empty() const { return !head_; }
  Node* front() const { return head_; }
  static Node* after(const Node& node) { return node.*Next; }
  void pushBack(Node& node) {
    node.*Previous = tail_;
    node.*Next = nullptr;
    (tail_ ? tail_->*Next : head_) = &node;
    tail_ = &node;
  }
  void remove(Node& node) {
    (node.*Previous ? (node.*Previous)->*Next : head_) = node.*Next;
    (node.*Next ? (node.*Next)->*Previous : tail_) = node.*Previous;
    node.*Previous = node.*Next = nullptr;
  }

 private:
  Node *head_ = nullptr, *tail_ = nullptr;
};

}  // namespace skiff::apiserver::flow
