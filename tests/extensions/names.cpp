/* C++ names, of every form that memcheck prints, for tests/logs.

   Each word of the command line is a member of "words" at the end of this file. Most have one and
   the same error, a decision upon an uninitialised value, below functions of odd names; the others
   use C++'s allocation wrongly. */

#include <compare>
#include <coroutine>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#define APART __attribute__((noinline))

// Keep the compiler from seeing what is wrong.
static void *volatile hidden;
static volatile char sink;
static volatile std::size_t minus_one = static_cast<std::size_t>(-1);
static volatile std::align_val_t three{3};
static volatile int large = 5000;

extern "C" APART int
decide()
{
    hidden = std::malloc(8);
    bool found = *static_cast<volatile char *>(hidden);
    if (found) {
        sink = 1;
    }
    std::free(hidden);
    return sink;
}

// Functions.

struct in {
    int value;
};

namespace spaced::within
{

// " (in " and " (within " are what stands between a function and its object file.
APART int
take(in const *, in (&)[2], void (*)(in), int (in::*)() const)
{
    return decide();
}

template <typename... Types>
APART int
take_all(Types &&...)
{
    return decide();
}

APART int
vary(const char *, ...)
{
    return decide();
}

} // namespace spaced::within

namespace
{

struct {
    APART int
    call()
    {
        return decide();
    }
} nameless;

APART int
in_nameless_namespace(unsigned long long, signed char, long double)
{
    struct Local {
        APART static int
        call()
        {
            return decide();
        }
    };
    return Local::call();
}

} // namespace

APART std::string
tagged(std::string_view text)
{
    return std::string(text) + (decide() ? "a" : "b");
}

[[gnu::abi_tag("one", "two"), gnu::noinline]] int
tagged_twice()
{
    return decide();
}

APART static int
specialised(int first, int second)
{
    // Only called with the same second argument.
    return second ? first + decide() : first * second;
}

[[gnu::cold, gnu::noinline]] static int
rarely(int value)
{
    return value + decide();
}

APART int
split(int value)
{
    if (value > 1000) [[unlikely]] {
        return rarely(value) + std::printf("%d\n", value);
    }
    return value;
}

APART int
never_throws() noexcept
{
    return decide();
}

APART int
take_noexcept(int (*function)() noexcept)
{
    return function();
}

// Templates.

template <typename Key, typename Value = std::map<Key, int>>
class Box
{
public:
    template <int number, typename Other>
    APART int
    convert(const Other &, Value *) const
    {
        return decide();
    }
    class Inner
    {
    public:
        APART int
        call() volatile
        {
            return decide();
        }
    };
};

template <std::size_t length>
struct Text {
    char text[length];
    consteval Text(const char (&given)[length])
    {
        for (std::size_t i = 0; i < length; i++) {
            text[i] = given[i];
        }
    }
};

template <Text text>
APART int
with_text()
{
    return decide();
}

template <auto function, char letter, bool flag, std::nullptr_t nothing>
APART auto
with_values() -> decltype(function())
{
    return decide();
}

template <template <typename, typename> typename Template>
    requires(sizeof(Template<int, int>) > 0)
APART decltype(auto)
with_template()
{
    return decide();
}

// Operators.

class Number
{
public:
    APART
    Number()
    {
        decide();
    }
    APART explicit Number(int)
    {
    }
    APART ~Number()
    {
        decide();
    }
    APART int operator()(int) const { return decide(); }
    APART int operator[](int) const { return decide(); }
    APART int operator+(int) const { return decide(); }
    APART int operator<<(int) const { return decide(); }
    APART int operator>>=(int) const { return decide(); }
    APART int operator<(const Number &) const { return decide(); }
    APART int operator>(const Number &) const { return decide(); }
    APART int operator!() const { return decide(); }
    APART int operator,(int) const { return decide(); }
    APART int operator->*(int) const { return decide(); }
    APART int operator++(int) const { return decide(); }
    APART int operator&&(int) const { return decide(); }
    APART auto operator<=>(const Number &) const { return decide() <=> 0; }
    APART const Number *operator->() const { return decide() ? nullptr : this; }
    APART explicit operator bool() const { return decide(); }
    APART operator std::string() const { return std::to_string(decide()); }
    template <typename To>
    APART operator std::vector<To>() const
    {
        return std::vector<To>(decide() ? 1 : 2);
    }
    APART static void *
    operator new(std::size_t size)
    {
        return decide() ? nullptr : std::malloc(size);
    }
    APART static void
    operator delete(void *block)
    {
        decide();
        std::free(block);
    }
};

APART int
operator""_km(unsigned long long)
{
    return decide();
}

static void
use_operators()
{
    // The pointer keeps the destructor for the end.
    auto *number = new Number;
    const Number &it = *number;
    it(1);
    it[1];
    sink = it + 1;
    sink = it << 1;
    it >>= 1;
    sink = it < it;
    sink = it > it;
    sink = !it;
    sink = (it, 1);
    sink = it->*1;
    it++;
    sink = it && 1;
    sink = (it <=> it) == 0;
    it->operator bool();
    sink = std::string(it)[0];
    sink = std::vector<in>(it).size();
    sink = 3_km;
    delete number;
}

// Classes.

struct Base {
    virtual int virtually() = 0;
    virtual ~Base() = default;
};

struct Derived : Base {
    APART int
    virtually() override
    {
        return decide();
    }
    APART ~Derived() override
    {
        decide();
    }
};

static Base *volatile base;

static void
call_virtually()
{
    base = new Derived;
    base->virtually();
    delete base;
}

// Lambdas and callables.

static APART int
call_back(const std::function<int()> &function)
{
    return function();
}

static APART int
call_plainly(int (*function)(int))
{
    return function(1);
}

template <typename Function>
static APART int
call_any(Function function)
{
    return function(1, "one");
}

static void
call_lambdas()
{
    int kept = 1;
    call_back([] { return decide(); });
    call_back([&kept]() mutable { return kept + decide(); });
    call_back(std::bind(take_noexcept, never_throws));
    call_plainly([](int value) { return value + decide(); });
    call_any([](auto number, auto... rest) {
        return call_back([=] { return decide() + number + (sizeof(rest) + ... + 0); });
    });
    call_any([]<typename Value>(Value, const char *) APART { return decide(); });
}

struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() { decide(); }
        void unhandled_exception() { std::terminate(); }
    };
};

APART Task
coroutine(int value)
{
    if (value) {
        decide();
    }
    co_return;
}

static void
call_functions()
{
    in both[2] = {};
    spaced::within::take(both, both, nullptr, nullptr);
    spaced::within::take_all(1, "two", std::string("three"), both);
    spaced::within::vary("%d", 1);
    nameless.call();
    in_nameless_namespace(1, 2, 3);
    sink = tagged("text")[0];
    tagged_twice();
    sink = specialised(sink, 7) + specialised(sink + 1, 7);
    split(large);
    take_noexcept(never_throws);
    coroutine(1);
}

static void
call_templates()
{
    Box<int> box;
    Box<std::unique_ptr<in>, void (*)(int)>::Inner inner;
    box.convert<3>(std::make_pair('a', 1.5), nullptr);
    box.convert<-1, in[2]>({}, nullptr);
    inner.call();
    with_text<"a (in b): c.c:7)">();
    with_values<never_throws, '(', true, nullptr>();
    with_template<std::pair>();
}

// What C++ allocates.

static void
free_new()
{
    hidden = new int;
    std::free(hidden);
}

static void
delete_malloced()
{
    hidden = std::malloc(sizeof(int));
    delete static_cast<int *>(hidden);
}

static void
delete_array_as_one()
{
    hidden = new int[3];
    delete static_cast<int *>(hidden);
}

static void
delete_one_as_array()
{
    hidden = new int;
    delete[] static_cast<int *>(hidden);
}

static void
delete_twice()
{
    hidden = new int;
    void *again = hidden;
    delete static_cast<int *>(hidden);
    hidden = again;
    delete static_cast<int *>(hidden);
}

static void
delete_with_wrong_size()
{
    hidden = ::operator new(16);
    ::operator delete(hidden, 17);
    hidden = ::operator new[](16);
    ::operator delete[](hidden, 18);
    hidden = ::operator new(16, std::align_val_t{64});
    ::operator delete(hidden, 17, std::align_val_t{64});
}

static void
delete_with_wrong_alignment()
{
    hidden = ::operator new(16, std::align_val_t{64});
    ::operator delete(hidden);
    hidden = ::operator new(16, std::align_val_t{64});
    ::operator delete(hidden, std::align_val_t{32});
    hidden = ::operator new[](16, std::align_val_t{64});
    ::operator delete[](hidden, std::align_val_t{32});
    hidden = ::operator new[](16, std::align_val_t{64});
    ::operator delete[](hidden);
}

static void
new_with_wrong_alignment()
{
    // No exception: memcheck's allocator corrects the alignment.
    hidden = ::operator new(16, static_cast<std::align_val_t>(three), std::nothrow);
    ::operator delete(hidden, static_cast<std::align_val_t>(three));
}

static void
new_fishily()
{
    hidden = ::operator new(minus_one, std::nothrow);
    hidden = ::operator new[](minus_one - 1, std::nothrow);
}

struct Owner {
    std::string name = "a name too long to be within the object";
    ~Owner() { sink = name[0]; }
};

static void
leak_objects()
{
    hidden = new std::vector<std::string>(2, "a string too long to be within the object");
    hidden = new Owner[3];
    hidden = new std::function<void()>([owner = std::make_shared<Owner>()] {});
    hidden = nullptr;
}

// Known by a pointer to its first element only, which is not where the block begins.
static Owner *volatile kept;

static void
keep_array()
{
    kept = new Owner[2];
}

static const std::pair<const char *, void (*)()> words[] = {
    {"call_functions", call_functions},
    {"call_lambdas", call_lambdas},
    {"call_templates", call_templates},
    {"call_virtually", call_virtually},
    {"delete_array_as_one", delete_array_as_one},
    {"delete_malloced", delete_malloced},
    {"delete_one_as_array", delete_one_as_array},
    {"delete_twice", delete_twice},
    {"delete_with_wrong_alignment", delete_with_wrong_alignment},
    {"delete_with_wrong_size", delete_with_wrong_size},
    {"free_new", free_new},
    {"keep_array", keep_array},
    {"leak_objects", leak_objects},
    {"new_fishily", new_fishily},
    {"new_with_wrong_alignment", new_with_wrong_alignment},
    {"use_operators", use_operators},
};

int
main(int count, char **given)
{
    for (int i = 1; i < count; i++) {
        for (const auto &[name, commit] : words) {
            if (std::strcmp(name, given[i]) == 0) {
                commit();
            }
        }
    }
}
