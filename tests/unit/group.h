/*
 * Comes before everything else in each tests/unit/FOLDER/test_*.c: the build calls the main of such
 * a file main_of_test_*, so that all files of a folder are one program (tests/unit/main.c). This is
 * its prototype.
 */
int main(void);
