// Names of this process's code: of its own symbol table and of the libraries it has loaded.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skiff::rt {

class Symbols {
 public:
  struct Mapping {
    uintptr_t start = 0, end = 0, offset = 0;  // offset: in the file
    std::string file;
  };
  struct Name {
    std::string text;      // "" when nothing is known (a stripped binary)
    uintptr_t offset = 0;  // of the address in the function
  };
  Symbols();  // reads /proc/self/maps
  ~Symbols();
  // Executable parts of files, by address.
  const std::vector<Mapping>& mappings() const { return mappings_; }
  const Mapping* mappingOf(uintptr_t address) const;
  Name nameOf(uintptr_t address);  // reads the file's table on the first question about it

 private:
  struct Table;
  std::vector<Mapping> mappings_;
  std::vector<std::unique_ptr<Table>> tables_;  // by mapping; null: not read yet
};

}  // namespace skiff::rt
