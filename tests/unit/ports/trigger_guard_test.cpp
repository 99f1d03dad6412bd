#include "host/ports/trigger_guard.hpp"

#include <gtest/gtest.h>

namespace syncline::ports {
namespace {

constexpr Lexis kMaria{.has_hash_comments = true, .has_backslashes = true};
constexpr Lexis kPlain{};
constexpr Lexis kBrackets{.has_brackets = true};

TEST(TriggerGuard, AWordIsFoundWhereItIsSaid) {
  for (const char* body :
       {"IF @syncline IS NULL THEN SET NEW.a = 1; END IF", "begin if (@SYNCLINE is null) then end",
        "/* ours pass */ IF @syncline IS NULL THEN DO 1; END IF",
        "SELECT '-- no comment', @syncline", "SELECT 'it''s', @syncline", "@syncline"}) {
    EXPECT_TRUE(names(body, "@syncline", kMaria)) << body;
  }
  EXPECT_TRUE(names("IF current_setting('syncline.applying', true) = 'on' THEN RETURN NEW; END IF;",
                    "syncline.applying", kPlain));
  EXPECT_TRUE(names("IF NEW.data #>> '{a}' <> '' AND ours('x.y') THEN", "x.y", kPlain));
  EXPECT_FALSE(names("SET NEW.a = 'it\\'s' -- @syncline", "@syncline", kMaria));
}

TEST(TriggerGuard, AWordInAComment) {
  for (const char* body :
       {"", "SET NEW.a = 1 -- @syncline", "SET NEW.a = 1 # @syncline\n", "/* @syncline */ DO 1",
        "DO @syncline2", "DO @@syncline", "DO @my@syncline", "DO @synclin"}) {
    EXPECT_FALSE(names(body, "@syncline", kMaria)) << body;
  }
}

TEST(TriggerGuard, AConditionGoesBeforeTheBody) {
  EXPECT_EQ("CREATE TRIGGER t AFTER UPDATE ON c WHEN (ours = 0) BEGIN SELECT 1; END",
            with_condition("CREATE TRIGGER t AFTER UPDATE ON c BEGIN SELECT 1; END", "BEGIN",
                           "ours = 0", kBrackets));
  EXPECT_EQ(
      "CREATE TRIGGER \"begin\" AFTER UPDATE ON c -- begin when\n WHEN (x) begin DO; end",
      with_condition("CREATE TRIGGER \"begin\" AFTER UPDATE ON c -- begin when\n begin DO; end",
                     "BEGIN", "x", kBrackets));
  EXPECT_EQ("", with_condition("CREATE TRIGGER t AFTER UPDATE ON c", "BEGIN", "x", kBrackets));
}

TEST(TriggerGuard, AConditionJoinsTheOneThatIsThere) {
  EXPECT_EQ(
      "CREATE TRIGGER t BEFORE UPDATE ON public.c FOR EACH ROW WHEN (ours AND (((old.a "
      "<> 'EXECUTE'))\n)) EXECUTE FUNCTION f('when')",
      with_condition("CREATE TRIGGER t BEFORE UPDATE ON public.c FOR EACH ROW WHEN ((old.a <> "
                     "'EXECUTE')) EXECUTE FUNCTION f('when')",
                     "EXECUTE FUNCTION", "ours", kPlain));
  EXPECT_EQ(
      "CREATE TRIGGER t AFTER UPDATE ON c WHEN (x AND (CASE WHEN NEW.a THEN 1 END\n)) BEGIN DO; "
      "END",
      with_condition(
          "CREATE TRIGGER t AFTER UPDATE ON c WHEN CASE WHEN NEW.a THEN 1 END BEGIN DO; END",
          "BEGIN", "x", kBrackets));
}

TEST(TriggerGuard, WhatOneDialectQuotesOrCallsAComment) {
  EXPECT_EQ(
      "CREATE TRIGGER t BEFORE UPDATE ON public.execute FOR EACH ROW WHEN (x AND ((((new.d #>> "
      "'{a}'::text[]) IS NOT NULL))\n)) EXECUTE FUNCTION f()",
      with_condition("CREATE TRIGGER t BEFORE UPDATE ON public.execute FOR EACH ROW WHEN "
                     "(((new.d #>> '{a}'::text[]) IS NOT NULL)) EXECUTE FUNCTION f()",
                     "EXECUTE FUNCTION", "x", kPlain));
  EXPECT_EQ("CREATE TRIGGER [begin total] AFTER INSERT ON c WHEN (x) BEGIN DO; END",
            with_condition("CREATE TRIGGER [begin total] AFTER INSERT ON c BEGIN DO; END", "BEGIN",
                           "x", kBrackets));
  EXPECT_EQ("CREATE TRIGGER t AFTER INSERT ON c WHEN (x AND (a > 1 -- big\n)) BEGIN DO; END",
            with_condition("CREATE TRIGGER t AFTER INSERT ON c WHEN a > 1 -- big\nBEGIN DO; END",
                           "BEGIN", "x", kBrackets));
}

}  // namespace
}  // namespace syncline::ports
