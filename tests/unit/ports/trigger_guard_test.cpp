#include "host/ports/trigger_guard.hpp"

#include <gtest/gtest.h>

namespace syncline::ports {
namespace {

TEST(TriggerGuard, AWordIsFoundWhereItIsSaid) {
  for (const char* body :
       {"IF @syncline IS NULL THEN SET NEW.a = 1; END IF", "begin if (@SYNCLINE is null) then end",
        "/* ours pass */ IF @syncline IS NULL THEN DO 1; END IF",
        "SELECT '-- no comment', @syncline", "SELECT 'it''s', @syncline", "@syncline"}) {
    EXPECT_TRUE(names(body, "@syncline")) << body;
  }
  EXPECT_TRUE(names("IF current_setting('syncline.applying', true) = 'on' THEN RETURN NEW; END IF;",
                    "syncline.applying"));
}

TEST(TriggerGuard, AWordInAComment) {
  for (const char* body :
       {"", "SET NEW.a = 1 -- @syncline", "SET NEW.a = 1 # @syncline\n", "/* @syncline */ DO 1",
        "DO @syncline2", "DO @@syncline", "DO @my@syncline", "DO @synclin"}) {
    EXPECT_FALSE(names(body, "@syncline")) << body;
  }
}

TEST(TriggerGuard, AConditionGoesBeforeTheBody) {
  EXPECT_EQ("CREATE TRIGGER t AFTER UPDATE ON c WHEN (ours = 0) BEGIN SELECT 1; END",
            with_condition("CREATE TRIGGER t AFTER UPDATE ON c BEGIN SELECT 1; END", "BEGIN",
                           "ours = 0"));
  EXPECT_EQ(
      "CREATE TRIGGER \"begin\" AFTER UPDATE ON c -- begin when\n WHEN (x) begin DO; end",
      with_condition("CREATE TRIGGER \"begin\" AFTER UPDATE ON c -- begin when\n begin DO; end",
                     "BEGIN", "x"));
  EXPECT_EQ("", with_condition("CREATE TRIGGER t AFTER UPDATE ON c", "BEGIN", "x"));
}

TEST(TriggerGuard, AConditionJoinsTheOneThatIsThere) {
  EXPECT_EQ(
      "CREATE TRIGGER t BEFORE UPDATE ON public.c FOR EACH ROW WHEN (ours AND (((old.a "
      "<> 'EXECUTE')))) EXECUTE FUNCTION f('when')",
      with_condition("CREATE TRIGGER t BEFORE UPDATE ON public.c FOR EACH ROW WHEN ((old.a <> "
                     "'EXECUTE')) EXECUTE FUNCTION f('when')",
                     "EXECUTE", "ours"));
  EXPECT_EQ(
      "CREATE TRIGGER t AFTER UPDATE ON c WHEN (x AND (CASE WHEN NEW.a THEN 1 END)) BEGIN DO; END",
      with_condition(
          "CREATE TRIGGER t AFTER UPDATE ON c WHEN CASE WHEN NEW.a THEN 1 END BEGIN DO; END",
          "BEGIN", "x"));
}

}  // namespace
}  // namespace syncline::ports
