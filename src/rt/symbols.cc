#include "rt/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

namespace skiff::rt {
namespace {

// A file in memory, for as long as names are asked for.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd >= 0 && ::fstat(fd, &info) == 0 && info.st_size > 0) {
      void* at = ::mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
      if (at != MAP_FAILED) bytes_ = {static_cast<const char*>(at), size_t(info.st_size)};
    }
    if (fd >= 0) ::close(fd);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  // Null when the file is too short.
  template <class T>
  const T* array(uint64_t at, uint64_t count = 1) const {
    bool fits = at <= bytes_.size() && count <= (bytes_.size() - at) / sizeof(T) && at % alignof(T) == 0;
    return fits ? reinterpret_cast<const T*>(bytes_.data() + at) : nullptr;
  }
  std::string_view text(uint64_t at) const {
    if (at >= bytes_.size()) return {};
    std::string_view rest = bytes_.substr(at);
    return rest.substr(0, std::min(rest.find('\0'), rest.size()));
  }

 private:
  std::string_view bytes_;
};

std::string demangled(std::string_view name) {
  std::string text(name);
  int status = 0;
  char* made = abi::__cxa_demangle(text.c_str(), nullptr, nullptr, &status);
  if (status == 0 && made != nullptr) text = made;
  std::free(made);
  return text;
}

}  // namespace

struct Symbols::Table {
  struct Function {
    uintptr_t start, size;
    std::string_view name;
  };
  MappedFile file;
  std::vector<Function> functions;  // by address

  explicit Table(const Mapping& mapping) : file(mapping.file) {
    const auto* header = file.array<Elf64_Ehdr>(0);
    if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) return;
    const auto* sections = file.array<Elf64_Shdr>(header->e_shoff, header->e_shnum);
    if (sections == nullptr) return;
    uintptr_t bias = biasOf(mapping, *header);
    // The whole table where there is one, else that of the loader.
    for (uint32_t type : {uint32_t(SHT_SYMTAB), uint32_t(SHT_DYNSYM)}) {
      for (size_t i = 0; i < header->e_shnum && functions.empty(); ++i)
        if (sections[i].sh_type == type && sections[i].sh_link < header->e_shnum) read(sections[i], sections[sections[i].sh_link], bias);
    }
    std::ranges::sort(functions, {}, &Function::start);
  }

 private:
  // What is added to the addresses of the file: where its code was loaded.
  uintptr_t biasOf(const Mapping& mapping, const Elf64_Ehdr& header) const {
    const auto* segments = file.array<Elf64_Phdr>(header.e_phoff, header.e_phnum);
    for (size_t i = 0; segments != nullptr && i < header.e_phnum; ++i)
      if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X) != 0)
        return mapping.start - mapping.offset + segments[i].p_offset - segments[i].p_vaddr;
    return mapping.start - mapping.offset;
  }
  void read(const Elf64_Shdr& symbols, const Elf64_Shdr& names, uintptr_t bias) {
    size_t count = symbols.sh_size / sizeof(Elf64_Sym);
    const auto* table = file.array<Elf64_Sym>(symbols.sh_offset, count);
    for (size_t i = 0; table != nullptr && i < count; ++i)
      if (ELF64_ST_TYPE(table[i].st_info) == STT_FUNC && table[i].st_value != 0)
        functions.push_back({table[i].st_value + bias, table[i].st_size, file.text(names.sh_offset + table[i].st_name)});
  }
};

Symbols::~Symbols() = default;

// "555555554000-555555575000 r-xp 00001000 fe:00 1234   /usr/bin/x"
Symbols::Symbols() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    Mapping mapping;
    char flags[5] = {};
    unsigned long start = 0, end = 0, offset = 0;
    int at = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx %*s %*s %n", &start, &end, flags, &offset, &at) < 4 || flags[2] != 'x') continue;
    mapping = {start, end, offset, size_t(at) < line.size() ? line.substr(size_t(at)) : ""};
    if (mapping.file.starts_with('/')) mappings_.push_back(std::move(mapping));
  }
  tables_.resize(mappings_.size());
}

const Symbols::Mapping* Symbols::mappingOf(uintptr_t address) const {
  for (const Mapping& mapping : mappings_)
    if (address >= mapping.start && address < mapping.end) return &mapping;
  return nullptr;
}

Symbols::Name Symbols::nameOf(uintptr_t address) {
  const Mapping* mapping = mappingOf(address);
  if (mapping == nullptr) return {};
  std::unique_ptr<Table>& table = tables_[size_t(mapping - mappings_.data())];
  if (!table) table = std::make_unique<Table>(*mapping);
  auto after = std::ranges::upper_bound(table->functions, address, {}, &Table::Function::start);
  if (after == table->functions.begin()) return {};
  const Table::Function& found = *std::prev(after);
  if (found.size != 0 && address >= found.start + found.size) return {};
  return {demangled(found.name), address - found.start};
}

}  // namespace skiff::rt
