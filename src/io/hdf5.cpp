#include "io/hdf5.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "elver/error.hpp"
#include "io/hdf5_newer.hpp"
#include "io/reader.hpp"
#include "types/text.hpp"

namespace elver::hdf5 {
namespace {

/// A file was left open on purpose (give_up): HDF5 must not close everything at the program's end.
std::atomic<bool> given_up{false};

/// Takes the place of HDF5's own work at the program's end.
bool close_at_exit() {
  if (H5dont_atexit() < 0) return false;  // somebody called HDF5 before us, and is in charge
  return std::atexit([] {
           if (!given_up) H5close();
         }) == 0;
}

/// The innermost reason on HDF5's error stack; where it quotes the operating system, only that.
std::string reason() {
  std::string found;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* entry, void* data) -> herr_t {
        auto& text = *static_cast<std::string*>(data);
        if (text.empty() && entry->desc != nullptr) text = entry->desc;
        return 0;
      },
      &found);
  const std::string mark = "error message = '";
  if (const std::size_t at = found.find(mark); at != std::string::npos) {
    const std::size_t start = at + mark.size();
    found = found.substr(start, found.find('\'', start) - start);
  }
  return found.empty() ? "HDF5 gives no reason" : found;
}

std::string file_of(hid_t object) {
  std::string name(4096, '\0');
  const ssize_t size = H5Fget_name(object, name.data(), name.size());
  name.resize(size > 0 ? std::min<std::size_t>(static_cast<std::size_t>(size), name.size() - 1) : 0);
  return name.empty() ? "HDF5 file" : name;
}

/// Names of the open files whose links are followed.
std::set<std::string>& followed() {
  static std::set<std::string> names;
  return names;
}

Handle file_access() {
  Handle list(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_file_locking(list.get(), false, true);  // our own files need no lock, and some network drives refuse it
  return list;
}

/// Makes a link access list never leave the file, not even by a soft link that meets an external one.
void stay_inside(hid_t list) {
  H5Pset_elink_cb(
      list, [](const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) -> herr_t { return -1; },
      nullptr);
}

void leave_read_only(hid_t list) {
  const Handle access = file_access();
  H5Pset_elink_acc_flags(list, H5F_ACC_RDONLY);
  H5Pset_elink_fapl(list, access.get());
}

hid_t link_access(hid_t location) {
  static const hid_t inside = [] {
    const hid_t list = H5Pcreate(H5P_LINK_ACCESS);
    stay_inside(list);
    return list;
  }();
  static const hid_t anywhere = [] {
    const hid_t list = H5Pcreate(H5P_LINK_ACCESS);
    leave_read_only(list);
    return list;
  }();
  return may_leave(location) ? anywhere : inside;
}

/// Calls `each` with every leading part of the path: "/a", "/a/b"; stops at false.
template <class Each>
bool all_parts(const std::string& path, const Each& each) {
  for (std::size_t at = path.find_first_not_of('/'); at != std::string::npos;) {
    const std::size_t end = path.find('/', at);
    if (!each(path.substr(0, end))) return false;
    at = end == std::string::npos ? end : path.find_first_not_of('/', end);
  }
  return true;
}

[[noreturn]] void fail_newer(hid_t location, const std::string& path) {
  unsigned major = 0, minor = 0, patch = 0;
  H5get_libversion(&major, &minor, &patch);
  throw Newer("cannot read " + file_of(location),
              text("\"%s\" is laid out as a newer HDF5 does it than elver's %u.%u", path.c_str(), major, minor),
              "Write it again for older versions (h5py: libver=\"v110\")");
}

Handle open_object(hid_t location, const std::string& path, H5I_type_t kind, const char* word) {
  const auto held = lock();
  const bool there = all_parts(path, [&](const std::string& part) {
    if (H5Lexists(location, part.c_str(), link_access(location)) <= 0) return false;
    H5L_info_t info;
    if (H5Lget_info(location, part.c_str(), &info, link_access(location)) < 0) return false;
    const bool out = info.type == H5L_TYPE_EXTERNAL && may_leave(location);
    if (info.type != H5L_TYPE_HARD && info.type != H5L_TYPE_SOFT && !out) {
      fail_read(location, "\"" + part + "\" is a link to another file", kFollow);
    }
    return true;
  });
  if (!there) fail_read(location, text("it has no %s \"%s\"", word, path.c_str()));
  Handle object(H5Oopen(location, path.empty() ? "/" : path.c_str(), link_access(location)));
  if (!object) {
    const std::string why = reason();
    if (why.find("bad version number") != why.npos) fail_newer(location, path);
    fail_read(location, text("%s \"%s\" cannot be opened: ", word, path.c_str()) + why);
  }
  if (may_leave(location)) followed().insert(file_of(object.get()));
  if (H5Iget_type(object.get()) != kind) fail_read(location, text("\"%s\" is not a %s", path.c_str(), word));
  return object;
}

}  // namespace

std::unique_lock<std::recursive_mutex> lock() {
  static std::recursive_mutex mutex;
  std::unique_lock<std::recursive_mutex> held(mutex);
  static const bool ours = close_at_exit();
  static_cast<void>(ours);
  static const bool with_lzf = (register_lzf(), true);
  static_cast<void>(with_lzf);
  thread_local const bool silenced = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;  // the stack is a thread's own
  static_cast<void>(silenced);
  return held;
}

void Handle::close() noexcept {
  if (id_ < 0) return;
  const auto held = lock();
  H5Idec_ref(id_);
  id_ = H5I_INVALID_HID;
}

void fail_read(hid_t object, std::string why, const std::string& todo) {
  const auto held = lock();
  if (why.empty()) why = reason();
  throw Error(ErrorKind::input, "cannot read " + file_of(object), why, todo);
}

void fail_write(hid_t object, std::string why) {
  const auto held = lock();
  if (why.empty()) why = reason();
  const Handle file(H5Iget_file_id(object));
  give_up(file.get());
  throw Error(ErrorKind::output, "cannot write " + file_of(object), why,
              "Check the folder, its permissions and the space left");
}

bool may_leave(hid_t object) {
  const auto held = lock();
  return !followed().empty() && followed().contains(file_of(object));
}

void look_beside(hid_t dataset_access) {
  H5Pset_efile_prefix(dataset_access, "${ORIGIN}");
  H5Pset_virtual_prefix(dataset_access, "${ORIGIN}");
}

std::string link_out(hid_t file) {
  const auto held = lock();
  std::string found;
  const auto look = [](hid_t, const char* name, const H5L_info_t* info, void* data) -> herr_t {
    if (info->type == H5L_TYPE_HARD || info->type == H5L_TYPE_SOFT) return 0;
    *static_cast<std::string*>(data) = name;
    return 1;
  };
  H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, look, &found);
  return found;
}

Handle open_file(const std::string& path, Links links) {
  const auto held = lock();
  followed().erase(path);
  if (links == Links::followed) followed().insert(path);
  check_file(path);  // HDF5 gives fewer reasons, and waits for a pipe
  const Handle access = file_access();
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()));
  if (!file) {
    const std::string why = reason();
    if (H5Fis_hdf5(path.c_str()) <= 0) throw Error(ErrorKind::input, "cannot read " + path, "it is not an HDF5 file");
    throw Error(ErrorKind::input, "cannot read " + path, "damaged HDF5 file: " + why);
  }
  return file;
}

Handle open_bytes(std::span<const std::byte> bytes, const std::string& name) {
  const auto held = lock();
  const Handle access = file_access();
  H5Pset_fapl_core(access.get(), std::size_t{1} << 16, false);
  Handle file;
  if (!bytes.empty() && H5Pset_file_image(access.get(), const_cast<std::byte*>(bytes.data()), bytes.size()) >= 0) {
    file = Handle(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.get()));
  }
  if (!file) throw Error(ErrorKind::input, "cannot read " + name, "no sound HDF5 file: " + reason());
  return file;
}

Handle create_file(const std::string& path, std::size_t user_block) {
  const auto held = lock();
  const Handle access = file_access(), creation(H5Pcreate(H5P_FILE_CREATE));
  H5Pset_userblock(creation.get(), user_block);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()));
  if (!file) {
    throw Error(ErrorKind::output, "cannot write " + path, reason(),
                "Check the folder, its permissions and the space left");
  }
  return file;
}

void close_file(Handle file) {
  const auto held = lock();
  if (H5Fflush(file.get(), H5F_SCOPE_GLOBAL) < 0) fail_write(file.get());
}

void give_up(hid_t file) noexcept {
  const auto held = lock();
  if (file < 0 || H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0) return;  // an ordinary close will do
  void* descriptor = nullptr;                                     // of the default driver: the number of an open file
  if (H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) < 0 || descriptor == nullptr) return;
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0) return;
  ::dup2(nowhere, *static_cast<const int*>(descriptor));
  ::close(nowhere);
  H5Iinc_ref(file);
  given_up = true;
}

bool exists(hid_t location, const std::string& path) {
  const auto held = lock();
  return all_parts(path, [&](const std::string& part) { return H5Lexists(location, part.c_str(), link_access(location)) > 0; });
}

Handle open_group(hid_t location, const std::string& path) { return open_object(location, path, H5I_GROUP, "group"); }
Handle open_dataset(hid_t location, const std::string& path) {
  return open_object(location, path, H5I_DATASET, "data set");
}

Handle open_dataset(hid_t location, const std::string& path, std::size_t cache_bytes, std::size_t cache_chunks) {
  const auto held = lock();
  open_dataset(location, path);  // says what is wrong, if anything is
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS));
  if (may_leave(location)) {
    leave_read_only(access.get());
    look_beside(access.get());
  } else {
    stay_inside(access.get());
  }
  // The cache is a hash table without chains: many more slots than chunks, a prime number of them.
  std::size_t slots = 521;
  for (const std::size_t more : {12421, 100'003, 1'000'003}) {
    if (slots < 100 * cache_chunks) slots = more;
  }
  H5Pset_chunk_cache(access.get(), slots, cache_bytes, 0.75);
  Handle dataset(H5Dopen2(location, path.c_str(), access.get()));
  if (!dataset) fail_read(location, "");
  return dataset;
}

Handle create_group(hid_t location, const std::string& path) {
  const auto held = lock();
  const Handle creation(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(creation.get(), 1);
  H5Pset_char_encoding(creation.get(), H5T_CSET_UTF8);
  Handle group(H5Gcreate2(location, path.c_str(), creation.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!group) fail_write(location);
  return group;
}

std::vector<std::string> children(hid_t group) {
  const auto held = lock();
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names) < 0)
    fail_read(group, "a group cannot be listed: " + reason());
  return names;
}

}  // namespace elver::hdf5
